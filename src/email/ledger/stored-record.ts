import type { LedgerRecord, LedgerState } from "./delivery-ledger.ts";

/** A record with what only the rules need. */
export interface StoredRecord extends LedgerRecord {
  /** Grows with each write: what a writer compares, so that a late copy of a command does nothing. */
  readonly revision: number;
  /** Deferred, and not claimed since: the same deferral again is a repeat and counts once. */
  readonly waiting: boolean;
}

/** What a call makes of a record: what to write, if anything, and what to answer. */
export interface Decision<Outcome> {
  readonly write: StoredRecord | undefined;
  readonly outcome: Outcome;
  /** The decision holds only while the store's time is not later than this; unset: always. */
  readonly notAfter?: number;
}

export const historyEntriesMax = 20;

/** Nothing is known but the id. */
export function blankRecord(messageId: string): Omit<StoredRecord, "state"> {
  return {
    messageId,
    fence: 0,
    owner: "",
    revision: 0,
    leaseUntil: 0,
    attempts: 0,
    replays: 0,
    resubmissions: 0,
    waiting: false,
    digest: "",
    eventType: "",
    recipient: "",
    askedAt: undefined,
    origin: undefined,
    sentAt: undefined,
    late: false,
    class: undefined,
    reason: undefined,
    smtp: undefined,
    buried: undefined,
    history: [],
    trace: undefined,
  };
}

export function answer<Outcome>(outcome: Outcome): Decision<Outcome> {
  return { write: undefined, outcome };
}

export type RecordPatch = Partial<Omit<StoredRecord, "messageId" | "state" | "revision">>;

/** The same state with other fields; not in the history. */
export function amend(record: StoredRecord, patch: RecordPatch): StoredRecord {
  return { ...record, ...patch, revision: record.revision + 1 };
}

/** The one function that changes a state: it writes the history too. */
export function transition(
  record: StoredRecord,
  state: LedgerState,
  change: { readonly at: number; readonly note?: string | undefined; readonly patch?: RecordPatch },
): StoredRecord {
  const { at, note, patch } = change;
  const revision = record.revision + 1;
  const fence = patch?.fence ?? record.fence;
  const history = withEntry(patch?.history ?? record.history, { at, state, fence, note });
  return { ...record, ...patch, state, revision, history }; // one copy: it runs three times a mail
}

/** `fence` is whose doing it was; the record's own unless said. */
export function withHistory(
  record: StoredRecord,
  entry: {
    readonly at: number;
    readonly note: string | undefined;
    readonly fence?: number;
    readonly state?: LedgerState;
    readonly owner?: string;
  },
): StoredRecord {
  const { at, note, owner, fence = record.fence, state = record.state } = entry;
  return { ...record, history: withEntry(record.history, { at, state, fence, note, owner }) };
}

type History = StoredRecord["history"];

function withEntry(
  history: History,
  entry: Omit<History[number], "owner"> & { readonly owner?: string | undefined },
): History {
  const kept = history.length < historyEntriesMax ? history : history.slice(1 - historyEntriesMax);
  return [...kept, { ...entry, owner: entry.owner }];
}

/** Before another owner takes the record: its history goes on to say whose the past was. */
export function rememberOwner(record: StoredRecord): StoredRecord {
  const last = record.history.at(-1);
  if (last === undefined || last.owner !== undefined || last.fence !== record.fence) return record;
  return { ...record, history: [...record.history.slice(0, -1), { ...last, owner: record.owner }] };
}
