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
 * The addresses that get no mail at all, of whatever type: mail to them bounced, their owner
 * complained of it, or an operator said so. An entry may have an end; after it, it is as if it were
 * not there, and the next `add` sweeps it away.
 *
 * Promises, tested by `tests/contract/suppression-store.ts` for every adapter:
 * - What `add` or `remove` resolved is seen by every `find` that begins afterwards, in any process.
 * - Of two entries for one address the one that ends later stays, whichever came first; repeating an
 *   `add` changes nothing else.
 * - `forgetAddress` takes the address and the note out of an entry and leaves the rest: the address
 *   stays suppressed, and nobody can read whose it was.
 * Recipients are named by `recipientKey`. Throws the engine's own error (`postgres_unavailable`,
 * `sqlite_busy`) when it is away.
 */
export interface SuppressionStore {
  /** By key, the living entries. At most 1,000 keys. */
  find(keys: readonly string[]): Promise<ReadonlyMap<string, Suppression>>;
  /** How many were written; the others ended no later than what was there. At most 1,000 entries. */
  add(entries: readonly Suppression[]): Promise<number>;
  /** Whether there was a living entry. */
  remove(key: string): Promise<boolean>;
  forgetAddress(key: string): Promise<void>;
  /** The newest living entries, at most `limit`. */
  newest(options: {
    readonly limit: number;
    readonly reason?: SuppressionReason | undefined;
  }): Promise<readonly Suppression[]>;
  /** Living entries in the order of their keys, behind `after`, at most `limit`: for reading all. */
  page(options: {
    readonly after: string;
    readonly limit: number;
  }): Promise<readonly Suppression[]>;
  /** How many living entries there are. */
  count(reason?: SuppressionReason): Promise<number>;
}

export const suppressionReasons = ["bounced", "complained", "manual"] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

export interface Suppression {
  readonly key: string;
  /** In lower case; undefined when it was to be forgotten. */
  readonly address: string | undefined;
  readonly reason: SuppressionReason;
  /** What the server or the operator said. `add` cuts it to `noteCharsMax`, on one line. */
  readonly note: string | undefined;
  /** Unix ms. */
  readonly createdAt: number;
  /** Unix ms; undefined: until it is removed. */
  readonly expiresAt: number | undefined;
}

const noteCharsMax = 500;
export const entriesMax = 1_000;

/**
 * What of a list is worth writing: per address the entry that ends last, without those that have
 * ended. So no statement meets one row twice. Notes come out bounded, without control characters.
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

/** Notes are shown on terminals. */
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
  /** How long; 0: refusals suppress nothing. */
  readonly suppressionMs: number;
}

type Refusal = Extract<SendOutcome, { kind: "refused" }>;

/** The server was asked to take it a moment ago; nobody waits long for a store that is away. */
const addDeadlineMs = 1_000;

/**
 * Suppresses the recipient of a mail when the reply surely says that it does not exist, or is disabled
 * for good (see the table of replies), so that the next mail to it is not
 * even tried. Never throws for a store that is away: the next refusal will do it.
 */
export function createSuppressRefused(deps: SuppressRefusedDeps) {
  const { suppressions, clock, log, suppressionMs } = deps;
  return async function suppressRefused(event: EmailEvent, refusal: Refusal): Promise<void> {
    const { stage, reply } = refusal;
    if (suppressionMs === 0 || stage !== "recipient") return;
    if (classifyReply(refusal, stage) !== "no_such_recipient") return;
    const address = event.recipient.toLowerCase();
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
