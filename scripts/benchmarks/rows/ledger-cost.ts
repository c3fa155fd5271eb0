import type { RedisClient } from "../../../src/core/redis/client.ts";
import { openRedisAt } from "../../../support/own-redis.ts";
import { openSmtpSink } from "../../../support/smtp-sink/smtp-sink.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { timeDrain, warmUpMails } from "../drain.ts";
import { EmailService } from "../email-service.ts";
import { smtpTo } from "../smtp-settings.ts";
import type { Stage } from "../stage.ts";

/** What these rows print does not depend on how busy the machine is: one pair, and few mails. */
const mails = 3000;
const keysPerScan = 1000;

/** What one mail costs Redis decides how much of Redis there must be: see docs/scaling.md. */
export const ledgerMemory: Benchmark = {
  name: "ledger-memory",
  job: "Redis' memory for a mail of the last 24 hours, all keys together",
  yardstick: "a key as long that holds a 1 and expires",
  unit: "bytes",
  target: { atMost: 12 },
  inQuick: false,
  measure: async (stage) => {
    return await afterDrain(stage, async (client, drained) => {
      const ours = (await usedByAll(client)) / drained;
      const bare = `email:sent:code-${crypto.randomUUID()}`;
      await client.run((redis) => redis.set(bare, "1", "EX", 86_400));
      const [yardstick = 0] = await usedBy(client, [bare]);
      return [{ ours, yardstick }];
    });
  },
};

export const ledgerCalls: Benchmark = {
  name: "ledger-calls",
  job: "steps of a script in Redis for a mail over SMTP (many share a call, but not where it has several shards)",
  yardstick: "one before the mail is sent and one after",
  unit: "steps",
  target: { atMost: 2.1 },
  inQuick: false,
  measure: async (stage) => {
    return await afterDrain(stage, async (client, drained) => {
      const stats = await client.run((redis) => redis.info("commandstats"));
      // Each step begins with one of these: redis-swap.lua, redis-note.lua.
      const counts = [...stats.matchAll(/^cmdstat_(?:get|zadd):calls=(\d+)/gm)];
      const steps = counts.reduce((sum, [, count]) => sum + Number(count), 0);
      return [{ ours: steps / drained, yardstick: 2 }];
    });
  },
};

async function afterDrain<T>(
  stage: Stage,
  look: (client: RedisClient, drained: number) => Promise<T>,
): Promise<T> {
  const kafka = await stage.kafka();
  await using sink = await openSmtpSink();
  await using backlog = await openBacklog(kafka);
  await using redis = await stage.openRedis();
  await backlog.add(warmUpMails + mails);
  await using service = await EmailService.start(stage, {
    ...{ kafka, backlog, redis: redis.url },
    group: crypto.randomUUID(),
    environment: smtpTo(sink),
  });
  await timeDrain(service, mails);
  await using client = await openRedisAt(redis.url);
  return await look(client, warmUpMails + mails);
}

/** Those of the ledger, its count, and what each recipient got lately. */
async function usedByAll(client: RedisClient): Promise<number> {
  let [total, cursor] = [0, "0"];
  do {
    const [next, keys] = await client.run((redis) => redis.scan(cursor, "COUNT", keysPerScan));
    const used = await usedBy(client, keys);
    total += used.reduce((sum, bytes) => sum + bytes, 0);
    cursor = next;
  } while (cursor !== "0");
  return total;
}

function usedBy(client: RedisClient, keys: readonly string[]): Promise<number[]> {
  return client.run((redis) =>
    Promise.all(keys.map(async (key) => (await redis.memory("USAGE", key, "SAMPLES", 0)) ?? 0)),
  );
}
