/**
 * What one mail costs Redis: docs/scaling.md sizes Redis by it. It does not depend on how busy the
 * machine is, so one pair and few mails are enough.
 */
import type { RedisClient } from "../../../src/core/redis/client.ts";
import { openRedisAt } from "../../../support/own-redis.ts";
import { openSmtpSink } from "../../../support/smtp-sink/smtp-sink.ts";
import type { Benchmark } from "../benchmark.ts";
import { EmailService, openBacklog, smtpTo, timeDrain, warmUpMails } from "../drain.ts";
import type { Stage } from "../stage.ts";

const mails = 3000;
const keysPerScan = 1000;

export const ledgerMemory: Benchmark = {
  name: "ledger-memory",
  job: "Redis memory per mail of the last 24 hours, all keys together",
  yardstick: "a key of the same length with the value 1 and an expiry",
  unit: "bytes",
  target: { atMost: 12 },
  inQuick: false,
  measure: (stage) =>
    afterDrain(stage, async (client, drained) => {
      const ours = (await sumMemory(client)) / drained;
      const bare = `email:sent:code-${crypto.randomUUID()}`;
      await client.run((redis) => redis.set(bare, "1", "EX", 86_400));
      return [{ ours, yardstick: await memoryOf(client, bare) }];
    }),
};

export const ledgerCalls: Benchmark = {
  name: "ledger-calls",
  job: "Redis script calls per mail over SMTP, before batching",
  yardstick: "one call before the mail is sent and one after",
  unit: "calls",
  target: { atMost: 2.1 },
  inQuick: false,
  measure: (stage) =>
    afterDrain(stage, async (client, drained) => {
      const stats = await client.run((redis) => redis.info("commandstats"));
      // Each call begins with one of these: redis-write.lua (a claim, a change), redis-add.lua.
      const counts = [...stats.matchAll(/^cmdstat_(?:set|getrange):calls=(\d+)/gm)];
      const calls = counts.reduce((sum, [, count]) => sum + Number(count), 0);
      return [{ ours: calls / drained, yardstick: 2 }];
    }),
};

async function afterDrain<T>(
  stage: Stage,
  read: (client: RedisClient, drained: number) => Promise<T>,
): Promise<T> {
  await using sink = await openSmtpSink();
  await using backlog = await openBacklog(stage);
  await using redis = await stage.openRedis();
  await backlog.add(warmUpMails + mails);
  await using service = await EmailService.start(stage, {
    ...backlog.environment,
    ...smtpTo(sink),
    KAFKA_CONSUMER_GROUP: crypto.randomUUID(),
    REDIS_URL: redis.url,
  });
  await timeDrain(service, mails);
  await using client = await openRedisAt(redis.url);
  return await read(client, warmUpMails + mails);
}

/** The ledger's records, its count, and what each recipient got lately. */
async function sumMemory(client: RedisClient): Promise<number> {
  let [total, cursor] = [0, "0"];
  do {
    const [next, keys] = await client.run((redis) => redis.scan(cursor, "COUNT", keysPerScan));
    const used = await Promise.all(keys.map((key) => memoryOf(client, key)));
    total += used.reduce((sum, bytes) => sum + bytes, 0);
    cursor = next;
  } while (cursor !== "0");
  return total;
}

async function memoryOf(client: RedisClient, key: string): Promise<number> {
  return (await client.run((redis) => redis.memory("USAGE", key, "SAMPLES", 0))) ?? 0;
}
