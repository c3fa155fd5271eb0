import { InstantError, isInstantError } from "../../core/errors.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
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
import { decodeRecord, encodeHead, encodeNewEntry, encodeRecord, encodeTail } from "./record.ts";
import countText from "./redis-count.lua" with { type: "text" };
import addText from "./redis-count-add.lua" with { type: "text" };
import writeText from "./redis-write.lua" with { type: "text" };

/** The time of the write; or, where nothing was written, the time and the record as it is. */
type WriteReply = number | readonly [now: number, text?: string | null];

/**
 * How far the time that a write was decided at may be from the server's, in ms. A lease is much
 * longer, and a write that waited longer than this is decided again.
 */
const driftMsMax = 1_000;

/** Exported for tests. */
export const writeScript = redisScript<WriteReply>(
  `local ttl_ms, drift_ms = "${ledgerTtlMs}", ${driftMsMax}\n${writeText}`,
  { merges: true },
);
const writesMax = 20;

/** What a record is taken to be: as it was read at `now`, or a guess. */
interface Seen {
  readonly isGuess: boolean;
  readonly record: StoredRecord | undefined;
  /** As it is in Redis; undefined when there is none, and for a guess. */
  readonly text: string | undefined;
  /** The server's time, in Unix ms. */
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
 * usual change writes only the tail of the record. Where a guess was wrong, of the record or of the
 * server's time, and where the tail has no room, they decide again on what the script found, and the
 * whole record is written. The script writes only over the very record that was decided on, so a copy
 * of it that runs late, or twice, changes nothing.
 */
class RedisRecords {
  readonly #redis: RedisClient;
  readonly #keyPrefix: string;
  readonly #totals: RedisMinuteTotals;
  readonly #time: ServerTime;
  readonly #own = new OwnClaims<{ readonly record: StoredRecord; readonly tail: Tail }>();
  /** How many bytes a tail has grown from the claim to the acceptance, at most. */
  #growth = growthMin;

  constructor(redis: RedisClient, keyPrefix: string, totals: RedisMinuteTotals, clock: Clock) {
    this.#redis = redis;
    this.#keyPrefix = keyPrefix;
    this.#totals = totals;
    this.#time = new ServerTime(clock);
  }

  guessAbsent(): Seen {
    return {
      isGuess: true,
      record: undefined,
      text: undefined,
      now: this.#time.now(),
      tail: undefined,
    };
  }

  guessOwn(claim: Claim): Seen | undefined {
    const own = this.#own.find(claim.messageId);
    if (own === undefined || !isOwner(own.record, claim)) return undefined;
    return { ...own, isGuess: true, text: undefined, now: this.#time.now() };
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
      if (seen?.isGuess === false && decision?.write === undefined) {
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
        if (write && tail) this.#own.keep({ record: write, tail });
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
      const sentAt = this.#time.local();
      const replies = await this.#redis.scriptAll(writeScript, keys, args);
      const reply = replies.find((each) => !(each instanceof InstantError));
      if (reply !== undefined) this.#time.note(sentAt, timeOf(reply as WriteReply));
      return replies;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return keys.map(() => error);
    }
  }

  /** Adds the four arguments of a write, as redis-write.lua has them. */
  #pushWrite(
    args: (string | number)[],
    seen: Seen | undefined,
    decision: Decision<unknown> | undefined,
  ): Tail | undefined {
    const write = decision?.write;
    if (seen === undefined || write === undefined) return pushLook(args);
    if (seen.isGuess && seen.record !== undefined) return this.#pushTail(args, seen, write);
    const [start, entries, end] = encodeRecord(write);
    const offset = Buffer.byteLength(start) + Buffer.byteLength(entries);
    const room = isOpen(write) ? this.#growth : 0;
    const text = start + entries + end + " ".repeat(room);
    const { notAfter = Number.MAX_SAFE_INTEGER } = decision ?? {};
    if (seen.text === undefined) args.push("absent", seen.now, notAfter, text);
    else args.push("whole", seen.now, seen.text, text);
    return { offset, byteCount: Buffer.byteLength(end) + room, room };
  }

  /** Where the change does not fit, it is decided again on the whole record. */
  #pushTail(
    args: (string | number)[],
    { record: before, tail, now }: Seen,
    write: StoredRecord,
  ): Tail | undefined {
    const entry = before && encodeNewEntry(before, write);
    if (before === undefined || entry === undefined || tail === undefined) return pushLook(args);
    const end = encodeTail(write);
    const grown = Buffer.byteLength(entry);
    const blanks = tail.byteCount - grown - Buffer.byteLength(end);
    if (blanks < 0) {
      this.#growth = Math.min(Math.max(this.#growth, tail.room - blanks), growthMax);
      return pushLook(args);
    }
    args.push(tail.offset, now, encodeHead(before), entry + end + " ".repeat(blanks));
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
  const text = typeof reply === "number" ? undefined : (reply[1] ?? undefined);
  const record = text === undefined ? undefined : decodeRecord(messageId, text);
  return { isGuess: false, record, text, now: timeOf(reply), tail: undefined };
}

function timeOf(reply: WriteReply): number {
  return typeof reply === "number" ? reply : reply[0];
}

function pushLook(args: (string | number)[]): undefined {
  args.push("look", 0, "", "");
}

const calibrationMs = 10_000;

/**
 * What the server's clock shows, from this process's clock and the times in the replies. A reply is
 * later than its request, so the server is ahead by the difference at most: a lease ends rather too
 * late than too early. The quickest reply of the last seconds counts; before the first one, both
 * clocks are taken to be equal.
 */
class ServerTime {
  readonly #clock: Clock;
  #aheadMs = 0;
  #notedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  local(): number {
    return this.#clock.now();
  }

  now(): number {
    return this.local() + this.#aheadMs;
  }

  note(sentAt: number, serverNow: number): void {
    const aheadMs = serverNow - sentAt;
    const isOld = Math.abs(sentAt - this.#notedAt) > calibrationMs;
    const isOff = Math.abs(aheadMs - this.#aheadMs) > driftMsMax;
    if (aheadMs > this.#aheadMs && !isOld && !isOff) return;
    this.#aheadMs = aheadMs;
    this.#notedAt = sentAt;
  }
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
  readonly clock?: Clock;
}

/** The ledger in Redis. It uses the client it is given and leaves it open. */
export function openRedisDeliveryLedger(options: RedisLedgerOptions): DeliveryLedger {
  const { redis, keyPrefix = "", recentMails, clock = systemClock } = options;
  const totals = new RedisMinuteTotals(redis, `${keyPrefix}email:ledger:minutes`);
  const records = new RedisRecords(redis, keyPrefix, totals, clock);
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
      return records.change(requests, claimRules, () => records.guessAbsent());
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
