import { InstantError, isInstantError } from "../../core/errors.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/client.ts";
import { decideAdvance, decideBuried, isOpen, isOwner } from "./advance-rules.ts";
import { decideClaim } from "./claim-rules.ts";
import type { Claim, DeliveryLedger } from "./delivery-ledger.ts";
import { answeredAll, asLedgerError, ledgerErrors, ledgerTtlMs } from "./delivery-ledger.ts";
import type { Decision, StoredRecord } from "./record.ts";
import { decodeRecord, encodeHead, encodeRecord, rfc3339 } from "./record.ts";
import countText from "./redis-count.lua" with { type: "text" };
import addText from "./redis-count-add.lua" with { type: "text" };
import swapText from "./redis-swap.lua" with { type: "text" };

/** What the record is taken to be; a wrong guess costs a second round trip, nothing else. */
type Guess = StoredRecord | "absent" | "unknown";

interface Seen {
  readonly record: StoredRecord | undefined;
  /** As it is in Redis; undefined when this is a guess. */
  readonly text: string | undefined;
  /** Redis' time when it was read; `unread` when this is a guess. */
  readonly now: number;
}

/** The time of the write; or, where nothing was written, the time and the record as it is. */
type SwapReply = number | readonly [now: number, text?: string | null];

/** Exported for tests. */
export const swapScript = redisScript<SwapReply>(`local ttl_ms = ${ledgerTtlMs}\n${swapText}`, {
  merges: true,
});
const swapsMax = 20;
const rememberedMax = 10_000;
/** A guess is decided on as of time 0; the times that come out are relative to the script's. */
const unread = 0;
const relativeBelow = 100_000_000_000; // 1973: no lease is that long, no time that early

/**
 * The records in Redis, each changed by one script that compares and writes (redis-swap.lua). The
 * rules decide here, on what the record is taken to be: none for a new id, and what this process
 * wrote last for its own claims, so that the usual call is one round trip. Where that was wrong, they
 * decide again on what the script found. The script writes only over the very record that was decided
 * on, so a copy of it that runs late, or twice, changes nothing.
 */
class RedisRecords {
  readonly #redis: RedisClient;
  readonly #keyPrefix: string;
  /** Open claims of this process as it wrote them last; the oldest is forgotten beyond 10,000. */
  readonly #remembered = new Map<string, StoredRecord>();

  constructor(redis: RedisClient, keyPrefix: string) {
    this.#redis = redis;
    this.#keyPrefix = keyPrefix;
  }

  guess(claim: Claim): Guess {
    const record = this.#remembered.get(claim.messageId);
    return record !== undefined && isOwner(record, claim) ? record : "unknown";
  }

  async find(messageId: string): Promise<StoredRecord | undefined> {
    const text = await this.#redis.run((redis) => redis.get(this.#key(messageId)));
    return text === null ? undefined : decodeRecord(messageId, text);
  }

  /** `made`: there was no record before. Throws `ledger_unavailable`, `redis_unavailable`. */
  async change<Outcome>(
    messageId: string,
    guess: Guess,
    decide: (record: StoredRecord | undefined, now: number) => Decision<Outcome>,
  ): Promise<{ readonly outcome: Outcome; readonly made: boolean }> {
    let seen: Seen | undefined = seenAs(guess);
    for (let swap = 0; swap < swapsMax; swap += 1) {
      const decision: Decision<Outcome> | undefined = seen && decide(seen.record, seen.now);
      const isRead = seen !== undefined && seen.now !== unread;
      if (isRead && decision?.write === undefined) {
        return { outcome: (decision as Decision<Outcome>).outcome, made: false };
      }
      const reply = await this.#swap(messageId, seen, decision);
      if (typeof reply === "number" && seen !== undefined && decision !== undefined) {
        const isExact = isRead || !decision.write || !isOpen(decision.write);
        this.#remember(isExact ? decision.write : decide(seen.record, reply).write);
        return { outcome: decision.outcome, made: seen.record === undefined };
      }
      const [now, text] = typeof reply === "number" ? [reply] : reply;
      const record = typeof text === "string" ? decodeRecord(messageId, text) : undefined;
      seen = { record, text: text ?? undefined, now };
    }
    const detail = `${messageId} was changed by others ${swapsMax} times in a row`;
    throw new InstantError(ledgerErrors.ledgerUnavailable, { detail });
  }

  #swap(
    messageId: string,
    seen: Seen | undefined,
    decision: Decision<unknown> | undefined,
  ): Promise<SwapReply> {
    const [condition, expected] = expectation(seen, decision);
    const write = decision?.write;
    const text = write === undefined ? "" : encodeRecord(write, writeTime);
    const notAfter = decision?.notAfter ?? Number.MAX_SAFE_INTEGER;
    const args = [condition, expected, notAfter, text];
    return this.#redis.script(swapScript, [this.#key(messageId)], args);
  }

  #remember(record: StoredRecord | undefined): void {
    if (record === undefined) return;
    this.#remembered.delete(record.messageId);
    if (!isOpen(record)) return;
    this.#remembered.set(record.messageId, record);
    if (this.#remembered.size <= rememberedMax) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      break;
    }
  }

  #key(messageId: string): string {
    return `${this.#keyPrefix}email:sent:${messageId}`;
  }
}

function seenAs(guess: Guess): Seen | undefined {
  if (guess === "unknown") return undefined;
  return { record: guess === "absent" ? undefined : guess, text: undefined, now: unread };
}

function expectation(
  seen: Seen | undefined,
  decision: Decision<unknown> | undefined,
): readonly [condition: string, expected: string] {
  if (seen === undefined || decision?.write === undefined) return ["look", ""];
  if (seen.record === undefined) return ["absent", ""];
  return seen.text === undefined ? ["begins", encodeHead(seen.record)] : ["equals", seen.text];
}

/** Around times that the script fills in; no text in a record has a raw control character. */
const mark = "\u0001";

function writeTime(ms: number): string {
  return ms < relativeBelow ? `${mark}${ms}${mark}` : rfc3339(ms);
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

  addOne(): void {
    this.#gathered += 1;
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
}

/** The ledger in Redis. It uses the client it is given and leaves it open. */
export function openRedisDeliveryLedger(options: RedisLedgerOptions): DeliveryLedger {
  const { redis, keyPrefix = "" } = options;
  const records = new RedisRecords(redis, keyPrefix);
  const totals = new RedisMinuteTotals(redis, `${keyPrefix}email:ledger:minutes`);
  const write = <Outcome>(
    messageId: string,
    guess: Guess,
    decide: (record: StoredRecord | undefined, now: number) => Decision<Outcome>,
  ) =>
    asLedgerError(async () => {
      const { outcome, made } = await records.change(messageId, guess, decide);
      if (made) totals.addOne();
      return outcome;
    });
  const ledger: DeliveryLedger = {
    get connection() {
      return redis.connection;
    },
    get refusal() {
      return redis.refusal;
    },
    claim: (request) =>
      write(request.messageId, "absent", (record, now) => decideClaim(record, request, now)),
    advance: (claim, to) =>
      write(claim.messageId, records.guess(claim), (record, now) =>
        decideAdvance(record, claim, to, now),
      ),
    claimAll: (requests) => answeredAll(requests.map((request) => ledger.claim(request))),
    advanceAll: (steps) =>
      answeredAll(steps.map(({ claim, change }) => ledger.advance(claim, change))),
    markBuried: (messageId, position) =>
      write(messageId, "unknown", (record, now) => decideBuried(record, position, now)),
    find: (messageId) => asLedgerError(() => records.find(messageId)),
    count: () => asLedgerError(() => totals.count()),
    ping: (options) => asLedgerError(() => redis.ping(options)),
    close: () => totals.flush(),
    [Symbol.asyncDispose]: () => ledger.close(),
  };
  return ledger;
}
