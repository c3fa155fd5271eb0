import { unreachable } from "../../core/errors.ts";
import { maskEmail } from "../../core/log.ts";
import { hmacText } from "../../core/secret.ts";
import type { EmailEvent } from "../event.ts";
import type { ClaimOutcome, ClaimRequest } from "./delivery-ledger.ts";
import { ledgerForgetsAfterMs } from "./delivery-ledger.ts";
import type { Decision, LedgerRules, StoredRecord } from "./record.ts";
import { amend, answer, blankRecord, rememberOwner, transition } from "./record.ts";

/**
 * Who may work on a mail: the rules of `claim`, the same for every store. `record` is what the
 * store holds, `now` the store's time. Pure: the store writes the decision if, and only if, the
 * record is still the one that was decided on.
 */
export function decideClaim(
  record: StoredRecord | undefined,
  request: ClaimRequest,
  now: number,
): Decision<ClaimOutcome> {
  if (record === undefined) return claimFresh(request, now);
  if (record.digest !== "" && digestsConflict(record.digest, request.digest)) {
    return answer({ kind: "id_conflict" });
  }
  switch (record.state) {
    case "claimed":
      return claimClaimed(record, request, now);
    case "submitting":
      return claimSubmitting(record, request, now);
    case "accepted":
      return answer({ kind: "accepted", sentAt: record.sentAt ?? 0 });
    case "rejected":
      return claimRejected(record, request, now);
    case "ambiguous":
      return claimAmbiguous(record, request, now);
    case "expired":
      return answer({ kind: "expired" });
    case "suppressed":
      return answer({ kind: "suppressed", reason: record.reason ?? "" });
    default:
      return unreachable(record.state);
  }
}

export const claimRules: LedgerRules<ClaimRequest, ClaimOutcome> = {
  idOf: ({ messageId }) => messageId,
  decide: decideClaim,
};

function claimFresh(request: ClaimRequest, now: number): Decision<ClaimOutcome> {
  const notAfter = request.eventTimestamp + ledgerForgetsAfterMs;
  const known = request.replayCount > 0;
  if (!known && now > notAfter) return answer({ kind: "too_old" });
  const record: StoredRecord = {
    ...blankRecord(request.messageId),
    state: "claimed",
    fence: 1,
    owner: request.owner,
    revision: 1,
    leaseUntil: now + request.leaseMs,
    replays: request.replayCount,
    digest: request.digest,
    eventType: request.eventType,
    traceId: request.traceId,
    recipient: maskEmail(request.recipient),
    requestedAt: request.eventTimestamp,
    origin: request.origin,
    history: [{ at: now, state: "claimed", fence: 1, note: undefined, owner: undefined }],
  };
  return known ? claimed(record) : { ...claimed(record), notAfter };
}

function claimClaimed(record: StoredRecord, request: ClaimRequest, now: number) {
  if (record.owner === request.owner) {
    const leaseUntil = now + request.leaseMs;
    return claimed(
      amend(record, { leaseUntil, waiting: false, replays: replays(record, request) }),
    );
  }
  if (record.leaseUntil > now) return leased(record, "claimed", now);
  return takeOver(record, request, now, {});
}

/** After the lease nobody knows whether the server accepted the mail. */
function claimSubmitting(record: StoredRecord, request: ClaimRequest, now: number) {
  if (record.leaseUntil > now) return leased(record, "submitting", now);
  const ambiguous = transition(record, "ambiguous", {
    at: now,
    note: "the lease ended in submitting",
    patch: { leaseUntil: now, reason: "the owner was gone after the content" },
  });
  if (mayResubmit(ambiguous, request)) return claimAmbiguous(ambiguous, request, now);
  return { write: ambiguous, outcome: ambiguousOutcome(ambiguous) };
}

function claimRejected(record: StoredRecord, request: ClaimRequest, now: number) {
  if (request.replayCount > record.replays) return reopen(record, request, now);
  return answer<ClaimOutcome>({
    kind: "rejected",
    class: rejectedClass(record.class),
    reason: record.reason ?? "",
    buried: record.buried,
  });
}

/**
 * Only a mail with a dead letter is replayed: a replay that meets the end of a lease in submitting
 * must get `ambiguous`, and get it again. A replay may send the mail once more, too, so it uses up
 * the resubmission.
 */
function claimAmbiguous(record: StoredRecord, request: ClaimRequest, now: number) {
  const resubmissions = record.resubmissions + 1;
  if (record.buried !== undefined && request.replayCount > record.replays) {
    return reopen(record, request, now, { resubmissions });
  }
  if (mayResubmit(record, request)) {
    return takeOver(record, request, now, { note: "resubmission", patch: { resubmissions } });
  }
  return answer<ClaimOutcome>(ambiguousOutcome(record));
}

function reopen(
  record: StoredRecord,
  request: ClaimRequest,
  now: number,
  patch: { readonly resubmissions?: number } = {},
) {
  const note = `replay ${request.replayCount}`;
  return takeOver(record, request, now, {
    note,
    patch: { ...patch, attempts: 0, buried: undefined },
  });
}

function takeOver(
  record: StoredRecord,
  request: ClaimRequest,
  now: number,
  options: { readonly note?: string; readonly patch?: Partial<StoredRecord> },
): Decision<ClaimOutcome> {
  const { note, patch } = options;
  return claimed(
    transition(rememberOwner(record), "claimed", {
      at: now,
      note: note ?? `after the lease of fence ${record.fence}`,
      patch: {
        ...patch,
        owner: request.owner,
        fence: record.fence + 1,
        leaseUntil: now + request.leaseMs,
        waiting: false,
        replays: replays(record, request),
        origin: request.origin ?? record.origin,
        class: undefined,
        reason: undefined,
      },
    }),
  );
}

function claimed(record: StoredRecord): Decision<ClaimOutcome> {
  const { fence, attempts, replays: replayed } = record;
  const resubmission = record.resubmissions > 0;
  return {
    write: record,
    outcome: { kind: "claimed", fence, attempts, replays: replayed, resubmission },
  };
}

function leased(
  record: StoredRecord,
  state: "claimed" | "submitting",
  now: number,
): Decision<ClaimOutcome> {
  const waitMs = record.leaseUntil - now;
  return answer({ kind: "leased", state, waitMs, deferred: record.waiting });
}

function ambiguousOutcome(record: StoredRecord): ClaimOutcome {
  return { kind: "ambiguous", resubmittable: isResubmittable(record), buried: record.buried };
}

function mayResubmit(record: StoredRecord, request: ClaimRequest): boolean {
  return request.resubmit && isResubmittable(record);
}

/** Once, and not while its dead letter waits for a person, who may replay it. */
function isResubmittable(record: StoredRecord): boolean {
  return record.resubmissions === 0 && record.buried === undefined;
}

function replays(record: StoredRecord, request: ClaimRequest): number {
  return Math.max(record.replays, request.replayCount);
}

function rejectedClass(text: string | undefined) {
  return text === "retries_exhausted" || text === "smtp_unavailable" ? text : "refused";
}

const keyIdChars = 6;

/**
 * What makes two events with one `message_id` the same mail: type, recipient and data, whatever the
 * order of the fields. Keyed, so that a code cannot be guessed from the ledger: `<key id>.<SHA-256>`,
 * 50 characters. The key is before the text, and no text is the beginning of another: what SHA-256
 * lets anyone append to a text makes no digest of an event.
 */
export function eventDigest(
  secret: string,
  { eventType, recipient, data }: Pick<EmailEvent, "eventType" | "recipient" | "data">,
): string {
  const { id, key } = keyOf(secret);
  const text = key + canonical([eventType, recipient, data]);
  return `${id}.${Bun.CryptoHasher.hash("sha256", text, "base64url")}`;
}

/**
 * Whether two digests are of different mails. Digests of different keys cannot be compared, so they
 * do not conflict: a mail on its way while EMAIL_SECRET changes is no error.
 */
export function digestsConflict(a: string, b: string): boolean {
  return a !== b && a.slice(0, keyIdChars) === b.slice(0, keyIdChars);
}

interface DigestKey {
  readonly id: string;
  /** A block of SHA-256, in hex digits. */
  readonly key: string;
}

const keys = new Map<string, DigestKey>();

/** Another form of the text needs other labels: digests of two forms must not conflict. */
function keyOf(secret: string): DigestKey {
  let known = keys.get(secret);
  if (known === undefined) {
    const id = hmacText(secret, "base64url", "event digest 2 id").slice(0, keyIdChars);
    known = { id, key: hmacText(secret, "hex", "event digest 2 key") };
    keys.set(secret, known);
  }
  return known;
}

/** As JSON would be with the fields of each object in order, but texts have their length before them. */
function canonical(value: unknown): string {
  if (typeof value === "string") return `${value.length}:${value}`;
  if (typeof value !== "object" || value === null) return `${JSON.stringify(value)};`;
  if (Array.isArray(value)) return `[${value.map(canonical).join("")}]`;
  let text = "{";
  for (const name of Object.keys(value).sort()) {
    const field = (value as Readonly<Record<string, unknown>>)[name];
    if (field !== undefined) text += `${name.length}:${name}${canonical(field)}`;
  }
  return `${text}}`;
}
