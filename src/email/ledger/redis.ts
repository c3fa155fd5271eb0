import { InstantError, isInstantError } from "../../core/errors.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import type { RecentMails } from "../recent-mails/recent-mails.ts";
import { burialRules, isOpen, isOwner, OwnClaims, stepRules } from "./advance-rules.ts";
import { claimRules } from "./claim-rules.ts";
import type { Answered, Claim, DeliveryLedger } from "./delivery-ledger.ts";
import {
  answerOf,
  asLedgerError,
  ledgerErrors,
  ledgerTtlMs,
  unanswered,
} from "./delivery-ledger.ts";
import type { Decision, LedgerRules, StoredRecord } from "./record.ts";
import {
  decodeRecord,
  encodeHead,
  encodeNewEntry,
  encodeRecord,
  encodeTail,
  rfc3339,
} from "./record.ts";
import countText from "./redis-count.lua" with { type: "text" };
import addText from "./redis-count-add.lua" with { type: "text" };
import writeText from "./redis-write.lua" with { type: "text" };

/** The time of the write; or, where nothing was written, the time and the record as it is. */
type WriteReply = number | readonly [now: number, text?: string | null];

/** Exported for tests. */
export const writeScript = redisScript<WriteReply>(
  `local ttl_ms = "${ledgerTtlMs}"\n${writeText}`,
  {
    merges: true,
  },
);
const writesMax = 20;
/** A guess is decided on as of time 0; the times that come out are relative to the script's. */
const unread = 0;
const relativeBelow = 100_000_000_000; // 1973: no lease is that long, no time that early

/** What a record is taken to be: as it was read at `now`, or a guess (`unread`). */
interface Seen {
  readonly record: StoredRecord | undefined;
  /** As it is in Redis; undefined when there is none. */
  readonly text: string | undefined;
  readonly now: number;
  /** Where the tail of a guess is. */
  readonly tail: Tail | undefined;
}

/** The bytes of a record that are written anew: from the end of the history to the last blank. */
interface Tail {
  readonly offset: number;
  readonly byteCount: number;
  /** Of them, how many blanks it was given. */
  readonly room: number;
}

const guessAbsent: Seen = { record: undefined, text: undefined, now: unread, tail: undefined };

/** One call of a batch that has no answer yet. */
interface OpenCall<Call> {
  readonly call: Call;
  readonly index: number;
  readonly seen: Seen | undefined;
}

/** A call as it was sent: what is written, and the tail that it then has. */
interface SentCall<Call, Outcome> extends OpenCall<Call> {
  readonly decision: Decision<Outcome> | undefined;
  readonly tail: Tail | undefined;
}

/**
 * The records in Redis, each changed by one script that compares and writes (redis-write.lua), many
 * in one call. The rules decide here, on what a record is taken to be: none for a new id, and what
 * this process wrote last for its own claims, so that the usual batch is one round trip, and the
 * usual change writes only the tail of the record. Where a guess was wrong, and where the tail has no
 * room, they decide again on what the script found, and the whole record is written. The script
 * writes only over the very record that was decided on, so a copy of it that runs late, or twice,
 * changes nothing.
 */
class RedisRecords {
  readonly #redis: RedisClient;
  readonly #keyPrefix: string;
  readonly #totals: RedisMinuteTotals;
  readonly #own = new OwnClaims<{ readonly record: StoredRecord; readonly tail: Tail }>();
  /** How many bytes a tail has grown from the claim to the acceptance, at most. */
  #growth = growthMin;

  constructor(redis: RedisClient, keyPrefix: string, totals: RedisMinuteTotals) {
    this.#redis = redis;
    this.#keyPrefix = keyPrefix;
    this.#totals = totals;
  }

  guessOwn(claim: Claim): Seen | undefined {
    const own = this.#own.find(claim.messageId);
    if (own === undefined || !isOwner(own.record, claim)) return undefined;
    return { record: own.record, text: undefined, now: unread, tail: own.tail };
  }

  async find(messageId: string): Promise<StoredRecord | undefined> {
    const text = await this.#redis.run((redis) => redis.get(this.#key(messageId)));
    return text === null ? undefined : decodeRecord(messageId, text);
  }

  /**
   * One answer per call, in order; a failure is the answer of its call alone. `guess`: what its
   * record most likely is; a wrong guess costs a second round trip, nothing else.
   */
  async change<Call, Outcome>(
    calls: readonly Call[],
    rules: LedgerRules<Call, Outcome>,
    guess: (call: Call) => Seen | undefined,
  ): Promise<readonly Answered<Outcome>[]> {
    const answers = new Array<Answered<Outcome>>(calls.length);
    let open = calls.map((call, index): OpenCall<Call> => ({ call, index, seen: guess(call) }));
    for (let write = 0; write < writesMax && open.length > 0; write += 1) {
      open = await this.#write(open, rules, answers);
    }
    for (const { call, index } of open) {
      const detail = `${rules.idOf(call)} was changed by others ${writesMax} times in a row`;
      answers[index] = new InstantError(ledgerErrors.ledgerUnavailable, { detail });
    }
    return answers;
  }

  /** Decides and writes once; returns the calls that found something else than they decided on. */
  async #write<Call, Outcome>(
    open: readonly OpenCall<Call>[],
    rules: LedgerRules<Call, Outcome>,
    answers: Answered<Outcome>[],
  ): Promise<OpenCall<Call>[]> {
    const sent: SentCall<Call, Outcome>[] = [];
    const keys: string[] = [];
    const args: (string | number)[] = [];
    for (const { call, index, seen } of open) {
      const decision = seen && rules.decide(seen.record, call, seen.now);
      if (seen !== undefined && seen.now !== unread && decision?.write === undefined) {
        answers[index] = (decision as Decision<Outcome>).outcome;
        continue;
      }
      keys.push(this.#key(rules.idOf(call)));
      sent.push({ call, index, seen, decision, tail: this.#pushWrite(args, seen, decision) });
    }
    const replies = await this.#send(keys, args);
    const again: OpenCall<Call>[] = [];
    let made = 0;
    for (const [position, one] of sent.entries()) {
      const { call, index, seen, decision, tail } = one;
      const reply = replies[position];
      if (reply === undefined || reply instanceof InstantError) {
        answers[index] = unanswered(reply);
      } else if (typeof reply === "number" && seen !== undefined && decision !== undefined) {
        answers[index] = decision.outcome;
        if (seen.record === undefined) made += 1;
        const { write } = decision;
        if (write && tail) this.#own.keep({ record: withTimes(write, reply), tail });
      } else {
        again.push({ call, index, seen: seenAs(rules.idOf(call), reply) });
      }
    }
    if (made > 0) this.#totals.add(made);
    return again;
  }

  /** Never rejects for an operating failure: it is then the reply of all. */
  async #send(keys: readonly string[], args: readonly (string | number)[]) {
    if (keys.length === 0) return [];
    try {
      return await this.#redis.scriptAll(writeScript, keys, args);
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return keys.map(() => error);
    }
  }

  /** Adds the eight arguments of a write, as redis-write.lua has them. */
  #pushWrite(
    args: (string | number)[],
    seen: Seen | undefined,
    decision: Decision<unknown> | undefined,
  ): Tail | undefined {
    const write = decision?.write;
    if (seen === undefined || write === undefined) return pushLook(args);
    if (seen.record !== undefined && seen.text === undefined) {
      return this.#pushTail(args, seen.record, seen.tail, write);
    }
    const isRead = seen.now !== unread;
    const [start, entries, end] = encodeRecord(write, isRead ? rfc3339 : writeTime);
    const offset = Buffer.byteLength(start) + byteCountOf(entries);
    const room = isOpen(write) ? this.#growth : 0;
    if (seen.text === undefined) args.push("absent", decision?.notAfter ?? Number.MAX_SAFE_INTEGER);
    else args.push("whole", seen.text);
    args.push(isRead ? "" : write.leaseUntil);
    pushPieces(args, start + entries + end, room);
    return { offset, byteCount: byteCountOf(end) + room, room };
  }

  /** Where the change does not fit, it is decided again on the whole record. */
  #pushTail(
    args: (string | number)[],
    before: StoredRecord,
    tail: Tail | undefined,
    write: StoredRecord,
  ): Tail | undefined {
    const entry = encodeNewEntry(before, write, writeTime);
    if (entry === undefined || tail === undefined) return pushLook(args);
    const end = encodeTail(write, writeTime);
    const grown = byteCountOf(entry);
    const blanks = tail.byteCount - grown - byteCountOf(end);
    if (blanks < 0) {
      this.#growth = Math.min(Math.max(this.#growth, tail.room - blanks), growthMax);
      return pushLook(args);
    }
    args.push(tail.offset, encodeHead(before), write.leaseUntil);
    pushPieces(args, entry + end, blanks);
    return { ...tail, offset: tail.offset + grown, byteCount: tail.byteCount - grown };
  }

  #key(messageId: string): string {
    return `${this.#keyPrefix}email:sent:${messageId}`;
  }
}

/**
 * Room for two more steps in the history, the time and a short reply; a longer reply makes room for
 * those of later mails, up to the second.
 */
const growthMin = 280;
const growthMax = 1000;

function seenAs(messageId: string, reply: WriteReply): Seen {
  const [now, found] = typeof reply === "number" ? [reply] : reply;
  const text = found ?? undefined;
  const record = text === undefined ? undefined : decodeRecord(messageId, text);
  return { record, text, now, tail: undefined };
}

function pushLook(args: (string | number)[]): undefined {
  args.push("look", "", "", "", "", "", "", 0);
}

/** Between the pieces are the times that the script fills in: now, the lease, now; or the lease. */
function pushPieces(args: (string | number)[], text: string, blanks: number): void {
  const [a = "", b = "", c, d = ""] = text.split(timeMark);
  if (c === undefined) args.push(a, "", b, "", blanks);
  else args.push(a, b, c, d, blanks);
}

/** For a time that is relative to the script's. */
const timeMark = "\u0001";
const timeBytes = "2026-01-31T12:00:00.000Z".length;

function writeTime(ms: number): string {
  return ms < relativeBelow ? timeMark : rfc3339(ms);
}

/** Of the text with its times filled in. */
function byteCountOf(text: string): number {
  let bytes = Buffer.byteLength(text);
  for (let at = text.indexOf(timeMark); at >= 0; at = text.indexOf(timeMark, at + 1)) {
    bytes += timeBytes - timeMark.length;
  }
  return bytes;
}

/** A decision on a guess, with the times that the script wrote. */
function withTimes(record: StoredRecord, now: number): StoredRecord {
  const { leaseUntil, history } = record;
  if (leaseUntil >= relativeBelow) return record;
  const last = history.at(-1);
  const isNew = last !== undefined && last.at < relativeBelow;
  return {
    ...record,
    leaseUntil: now + leaseUntil,
    history: isNew ? [...history.slice(0, -1), { ...last, at: now + last.at }] : history,
  };
}

const addScript = redisScript<number>(addText);
const countScript = redisScript<number>(countText);
const gatherMs = 50;

/**
 * How many records were made in the last 24 h: totals per minute in one hash, so that counting costs
 * the same however much is in Redis.
 *
 * Idle: nothing to add. Gathering: new records are counted here, and added by one command 50 ms later.
 * An add that fails is given up (the count is approximate after crashes); closing adds the rest.
 */
export class RedisMinuteTotals {
  readonly #redis: RedisClient;
  readonly #key: string;
  #gathered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(redis: RedisClient, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  add(count: number): void {
    this.#gathered += count;
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs);
  }

  /** Never rejects for an operating failure of Redis, which its client logs. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered === 0) return;
    const count = this.#gathered;
    this.#gathered = 0;
    try {
      await this.#redis.script(addScript, [this.#key], [count]);
    } catch (error) {
      if (!isInstantError(error)) throw error;
    }
  }

  async count(): Promise<number> {
    await this.flush();
    return this.#redis.script(countScript, [this.#key], []);
  }
}

interface RedisLedgerOptions {
  readonly redis: RedisClient;
  /** Before every key; for tests that share a server. */
  readonly keyPrefix?: string;
  /** The index of what is claimed; see there. */
  readonly recentMails?: Pick<RecentMails, "add">;
}

/** The ledger in Redis. It uses the client it is given and leaves it open. */
export function openRedisDeliveryLedger(options: RedisLedgerOptions): DeliveryLedger {
  const { redis, keyPrefix = "", recentMails } = options;
  const totals = new RedisMinuteTotals(redis, `${keyPrefix}email:ledger:minutes`);
  const records = new RedisRecords(redis, keyPrefix, totals);
  const ledger: DeliveryLedger = {
    get connection() {
      return redis.connection;
    },
    get refusal() {
      return redis.refusal;
    },
    claim: async (request) => answerOf(await ledger.claimAll([request])),
    advance: async (claim, change) => answerOf(await ledger.advanceAll([{ claim, change }])),
    claimAll: (requests) => {
      recentMails?.add(requests); // it leaves in the same write
      return records.change(requests, claimRules, () => guessAbsent);
    },
    advanceAll: (steps) => records.change(steps, stepRules, ({ claim }) => records.guessOwn(claim)),
    markBuried: async (messageId, position) =>
      answerOf(await records.change([position], burialRules(messageId), () => undefined)),
    find: (messageId) => asLedgerError(() => records.find(messageId)),
    count: () => asLedgerError(() => totals.count()),
    ping: (options) => asLedgerError(() => redis.ping(options)),
    close: () => totals.flush(),
    [Symbol.asyncDispose]: () => ledger.close(),
  };
  return ledger;
}
