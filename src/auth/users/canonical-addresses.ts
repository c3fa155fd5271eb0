import { parseEmailAddress } from "../../core/email-address.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { AddressChange } from "../auth-deps.ts";
import type { User, UserStore } from "./user-store.ts";

interface CanonicalAddressesDeps {
  readonly users: Pick<UserStore, "findBeyondAscii" | "findByEmail" | "setEmail">;
  readonly log: Log;
  /** Moves what other modules store under the former text of an address. */
  readonly onRewritten: (change: AddressChange) => Promise<void>;
}

/**
 * Rewrites the addresses that earlier releases stored in another form than `parseEmailAddress` gives
 * now, or nobody would find those users by typing them. Plain ASCII was canonical before, so only the
 * others are read.
 *
 * It merges nothing: where the canonical form is another user's, both stay as they are, and a warning
 * names them. The one with the canonical form can sign in; what becomes of the other, an operator
 * decides. Runs at each start, because a process of the earlier release may run beside this one, and
 * so that the warning is not lost. While the store is unavailable it is left to the next start.
 */
export async function canonicalizeAddresses(deps: CanonicalAddressesDeps): Promise<void> {
  const { users, log } = deps;
  try {
    let rewritten = 0;
    for await (const user of usersBeyondAscii(users)) {
      if (await canonicalizeAddress(deps, user)) rewritten += 1;
    }
    if (rewritten > 0) log.info({ users: rewritten }, "Addresses rewritten in canonical form");
  } catch (error) {
    if (!isInstantError(error)) throw error;
    log.warn({ error: errorMessage(error) }, "Stored addresses could not be checked");
  }
}

const pageSize = 500;

async function* usersBeyondAscii(users: Pick<UserStore, "findBeyondAscii">) {
  let page: readonly User[] = [];
  do {
    page = await users.findBeyondAscii({ after: page.at(-1)?.id, limit: pageSize });
    yield* page;
  } while (page.length === pageSize);
}

/** Whether it was rewritten. */
async function canonicalizeAddress(
  { users, log, onRewritten }: CanonicalAddressesDeps,
  { id, email }: User,
): Promise<boolean> {
  const canonical = parseEmailAddress(email);
  if (canonical === email) return false;
  if (canonical === undefined) {
    log.warn({ userId: id }, "A user's address is not valid any more");
    return false;
  }
  const { kind } = await users.setEmail({ id, from: email, email: canonical, undo: undefined });
  if (kind === "taken") {
    const other = await users.findByEmail(canonical);
    log.warn({ userId: id, otherUserId: other?.id }, "Two users have the same address");
  }
  if (kind !== "changed") return false;
  await onRewritten({ from: email, to: canonical });
  return true;
}
