import { canonicalAddress } from "../../core/email-address.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { withDeadline } from "../../core/time.ts";
import { lineOf } from "../delivery/outcome.ts";
import type { EmailEvent } from "../event.ts";
import { recipientKey } from "../event.ts";
import type { SendOutcome } from "../mailer/mailer.ts";
import { classifyReply } from "../mailer/reply.ts";

/**
 * The addresses that get no mail of any type: mail to them bounced, their owner complained, or an
 * operator suppressed them. An entry may expire; it then counts as absent, and the next `add`
 * deletes it. The others are active.
 *
 * Promises, tested by `tests/contract/suppression-store.ts` for every adapter:
 * - Once `add` or `remove` has resolved, every `find` that begins afterwards sees it, in any
 *   process.
 * - Of two entries for one address the one that expires later stays, whichever came first; `add` is
 *   idempotent.
 * - `forgetAddress` deletes the address and the note of an entry and keeps the rest: the address
 *   stays suppressed, but is no longer stored in clear.
 * Recipients are named by `recipientKey`. Throws the engine's own error (`postgres_unavailable`,
 * `sqlite_busy`) while it is unavailable.
 */
export interface SuppressionStore {
  /** The active entries by key. At most 1,000 keys. */
  find(keys: readonly string[]): Promise<ReadonlyMap<string, Suppression>>;
  /**
   * Returns how many were written; the others do not outlast the existing entries. At most 1,000
   * entries.
   */
  add(entries: readonly Suppression[]): Promise<number>;
  /** Returns whether there was an active entry. */
  remove(key: string): Promise<boolean>;
  forgetAddress(key: string): Promise<void>;
  /** The newest active entries, at most `limit`. */
  newest(options: {
    readonly limit: number;
    readonly reason?: SuppressionReason | undefined;
  }): Promise<readonly Suppression[]>;
  /** Active entries ordered by key, after the key `after`, at most `limit`: to read them all. */
  page(options: {
    readonly after: string;
    readonly limit: number;
  }): Promise<readonly Suppression[]>;
  /** How many active entries there are. */
  count(reason?: SuppressionReason): Promise<number>;
}

export const suppressionReasons = ["bounced", "complained", "manual"] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

export interface Suppression {
  readonly key: string;
  /** In canonical form; undefined after `forgetAddress`. */
  readonly address: string | undefined;
  readonly reason: SuppressionReason;
  /** The server's reply or the operator's note. `add` cuts it to `noteCharsMax`, on one line. */
  readonly note: string | undefined;
  /** Unix ms. */
  readonly createdAt: number;
  /** Unix ms; undefined: until it is removed. */
  readonly expiresAt: number | undefined;
}

const noteCharsMax = 500;
export const entriesMax = 1_000;

/**
 * For the adapters: per address the entry that expires last, without the expired ones, so that no
 * statement writes one row twice. Notes are bounded and have no control characters.
 */
export function latestEntries(entries: readonly Suppression[], now: number): Suppression[] {
  const latest = new Map<string, Suppression>();
  for (const entry of entries) {
    const known = latest.get(entry.key);
    if (endOf(entry) <= now || (known !== undefined && endOf(known) >= endOf(entry))) continue;
    latest.set(entry.key, { ...entry, note: printable(entry.note) });
  }
  return [...latest.values()];
}

/** Notes are printed on terminals. */
function printable(note: string | undefined): string | undefined {
  return note?.replace(/\p{Cc}+/gu, " ").slice(0, noteCharsMax);
}

function endOf({ expiresAt }: Suppression): number {
  return expiresAt ?? Number.POSITIVE_INFINITY;
}

interface SuppressRefusedDeps {
  readonly suppressions: Pick<SuppressionStore, "add">;
  readonly clock: Clock;
  readonly log: Log;
  /** EMAIL_SUPPRESSION; 0: refusals do not suppress. */
  readonly suppressionMs: number;
}

type Refusal = Extract<SendOutcome, { kind: "refused" }>;

/** How long a delivery waits at most for an unavailable store. */
const addDeadlineMs = 1_000;

/**
 * Suppresses the recipient of a refused mail when the reply clearly says that the address does not
 * exist or is permanently disabled (see the reply table), so that no further mail to it is
 * attempted. Never throws while the store is unavailable: the next refusal will suppress it.
 */
export function createSuppressRefused(deps: SuppressRefusedDeps) {
  const { suppressions, clock, log, suppressionMs } = deps;
  return async function suppressRefused(event: EmailEvent, refusal: Refusal): Promise<void> {
    const { stage, reply } = refusal;
    if (suppressionMs === 0 || stage !== "recipient") return;
    if (classifyReply(refusal, stage) !== "no_such_recipient") return;
    const address = canonicalAddress(event.recipient);
    const createdAt = clock.now();
    const entry = {
      key: recipientKey(address),
      address,
      reason: "bounced",
      note: reply,
      createdAt,
      expiresAt: createdAt + suppressionMs,
    } as const;
    try {
      await withDeadline("suppressing an address", addDeadlineMs, suppressions.add([entry]));
      log.warn({ ...lineOf(event), reason: "bounced", reply }, "Address suppressed");
    } catch (error) {
      if (!isInstantError(error)) throw error;
      log.warn({ ...lineOf(event), error: errorMessage(error) }, "Address could not be suppressed");
    }
  };
}

export type SuppressRefused = ReturnType<typeof createSuppressRefused>;
