import type { RedisClient } from "../../core/redis/client.ts";
import { decideAdvance, decideBuried } from "./advance-rules.ts";
import { decideClaim } from "./claim-rules.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import { asLedgerError } from "./errors.ts";
import { RedisMinuteTotals } from "./redis-minute-totals.ts";
import type { Guess } from "./redis-records.ts";
import { RedisRecords } from "./redis-records.ts";
import type { Decision, StoredRecord } from "./stored-record.ts";

export interface RedisLedgerOptions {
  readonly redis: RedisClient;
  /** Before every key; for tests that share a server. */
  readonly keyPrefix?: string;
}

/** The ledger in Redis. It uses the client it is given and leaves it open. */
export function openRedisDeliveryLedger(options: RedisLedgerOptions): DeliveryLedger {
  const { redis, keyPrefix = "" } = options;
  const records = new RedisRecords(redis, keyPrefix);
  const totals = new RedisMinuteTotals(redis, `${keyPrefix}email:ledger:minutes`);
  const change = <Outcome>(
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
      change(request.messageId, "absent", (record, now) => decideClaim(record, request, now)),
    advance: (claim, to) =>
      change(claim.messageId, records.guess(claim), (record, now) =>
        decideAdvance(record, claim, to, now),
      ),
    markBuried: (messageId, position) =>
      change(messageId, "unknown", (record, now) => decideBuried(record, position, now)),
    find: (messageId) => asLedgerError(() => records.find(messageId)),
    count: () => asLedgerError(() => totals.count()),
    ping: (options) => asLedgerError(() => redis.ping(options)),
    close: () => totals.flush(),
    [Symbol.asyncDispose]: () => ledger.close(),
  };
  return ledger;
}
