import { join } from "node:path";
import { openRedisDeliveryLedger } from "../../../src/email/ledger/redis.ts";
import { openRedisAt } from "../../../support/own-redis.ts";
import type { Measured } from "../alternate.ts";
import { alternate } from "../alternate.ts";
import type { Backlog } from "../backlog.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { Child } from "../child.ts";
import { addDeadLetters } from "../dead-letters.ts";
import type { Stage } from "../stage.ts";
import { runYardstick } from "../yardstick.ts";

const sizes = { full: { letters: 100_000, pairs: 5 }, quick: { letters: 5000, pairs: 1 } } as const;

export const replay: Benchmark = {
  name: "replay",
  job: "replay dead letters, each looked up in the ledger; start-up included",
  yardstick: "kafkajs consume and produce, batch by batch",
  unit: "letters/s",
  target: { atLeast: 0.5 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { letters, pairs } = sizes[scale];
    const kafka = await stage.kafka();
    await using backlog = await openBacklog(kafka);
    await using redis = await stage.openRedis();
    await using client = await openRedisAt(redis.url);
    await using ledger = openRedisDeliveryLedger({ redis: client });
    await addDeadLetters(backlog, ledger, letters);
    return await alternate(pairs, {
      print: stage.print,
      ours: () => replayAll(stage, { kafka, redis: redis.url, backlog, letters }),
      yardstick: () =>
        runYardstick(stage, "move", [kafka, backlog.deadLetters, backlog.events, letters]),
    });
  },
};

interface Replay {
  readonly kafka: string;
  readonly redis: string;
  readonly backlog: Backlog;
  readonly letters: number;
}

/** Nobody consumes the events meanwhile, so the letters may be put back again and again. */
async function replayAll(stage: Stage, options: Replay): Promise<Measured> {
  const { kafka, redis, backlog, letters } = options;
  const directory = stage.makeDirectory();
  const flags = ["--from-offset", "--yes", "--json", "--rate", "1000000"];
  const startedAt = performance.now();
  await using child = new Child([stage.program, "replay-dlq", ...flags], {
    directory,
    environment: {
      KAFKA_BROKERS: kafka,
      REDIS_URL: redis,
      KAFKA_TOPIC_EMAIL_EVENTS: backlog.events,
      KAFKA_TOPIC_EMAIL_DLQ: backlog.deadLetters,
      DATA_DIR: join(directory, "data"),
    },
  });
  const { replayed } = JSON.parse(await child.finish());
  const ms = performance.now() - startedAt;
  if (replayed !== letters) throw new Error(`${replayed} of ${letters} letters were put back`);
  return {
    value: (letters * 1000) / ms,
    cpuMicros: (child.cpuMicros ?? Number.NaN) / letters,
  };
}
