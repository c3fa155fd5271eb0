/**
 * What one mail costs Redis: docs/scaling.md sizes Redis by it. Apart from the CPU time it does not
 * depend on how busy the machine is, so one round and few mails are enough.
 */
import type { RedisClient } from "../../../src/core/redis/client.ts";
import { openRedisAt } from "../../../support/own-redis.ts";
import { openSmtpSink } from "../../../support/smtp-sink/smtp-sink.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { againstBefore, alternate, eachProgram } from "../benchmark.ts";
import { EmailService, openBacklog, smtpTo, timeDrain, warmUpMails } from "../drain.ts";
import type { Stage } from "../stage.ts";

const mails = 3000;
const keysPerScan = 1000;

export const ledgerMemory: Benchmark = {
  name: "ledger-memory",
  job: "Redis memory per mail of the last 24 hours, all keys together",
  unit: "bytes",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "a key of the same length with the value 1 and an expiry",
      target: { atMost: 12 },
      oursAtMost: 1200,
    },
    againstBefore({ atMost: 1 }),
  ],
  inQuick: false,
  measure: (stage) =>
    alternate(1, {
      ...eachProgram(stage, (program) => afterDrain(program, measureMemory)),
      yardstick: () => measureBareKey(stage),
    }),
};

/** Of Redis' commands, not of the calls: how many mails share a call depends on the load. */
export const ledgerCalls: Benchmark = {
  name: "ledger-calls",
  job: "Redis commands per mail over SMTP, those inside scripts included",
  unit: "commands",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "three writes: claimed, submitting, accepted",
      target: { atMost: 3 },
    },
    againstBefore({ atMost: 1 }),
    againstBefore({ atMost: 0.5 }, "Redis' CPU time per mail over SMTP"),
  ],
  inQuick: false,
  measure: (stage) =>
    alternate(1, {
      ...eachProgram(stage, (program) => afterDrain(program, measureCalls)),
      yardstick: async () => ({ value: 3 }),
    }),
};

async function afterDrain(
  stage: Stage,
  read: (client: RedisClient, drained: number) => Promise<Measured>,
): Promise<Measured> {
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

async function measureCalls(client: RedisClient, drained: number): Promise<Measured> {
  const stats = await client.run((redis) => redis.info("commandstats"));
  const cpu = await client.run((redis) => redis.info("cpu"));
  const calls = sumOf(stats, /^cmdstat_(?!eval|fcall|script|info)\S+:calls=(\d+)/gm);
  const seconds = sumOf(cpu, /^used_cpu_(?:sys|user):([\d.]+)/gm);
  return { value: calls / drained, cpuMicros: (seconds * 1e6) / drained };
}

function sumOf(info: string, pattern: RegExp): number {
  return [...info.matchAll(pattern)].reduce((sum, [, figure]) => sum + Number(figure), 0);
}

async function measureBareKey(stage: Stage): Promise<Measured> {
  await using redis = await stage.openRedis();
  await using client = await openRedisAt(redis.url);
  const key = `email:sent:code-${crypto.randomUUID()}`;
  await client.run((bare) => bare.set(key, "1", "EX", 86_400));
  return { value: await memoryOf(client, key) };
}

/** The ledger's records, its count, and what each recipient got lately. */
async function measureMemory(client: RedisClient, drained: number): Promise<Measured> {
  let [total, cursor] = [0, "0"];
  do {
    const [next, keys] = await client.run((redis) => redis.scan(cursor, "COUNT", keysPerScan));
    const used = await Promise.all(keys.map((key) => memoryOf(client, key)));
    total += used.reduce((sum, bytes) => sum + bytes, 0);
    cursor = next;
  } while (cursor !== "0");
  return { value: total / drained };
}

async function memoryOf(client: RedisClient, key: string): Promise<number> {
  return (await client.run((redis) => redis.memory("USAGE", key, "SAMPLES", 0))) ?? 0;
}
