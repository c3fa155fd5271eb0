/** How fast replay-dlq publishes dead letters again. */
import { join } from "node:path";
import { encodeDeadLetter } from "../../../src/email/dead-letters/dead-letter.ts";
import { encodeEmailEvent, eventKey } from "../../../src/email/event.ts";
import { lastingCodeEvent } from "../../../support/events.ts";
import { openKafkaLogAt } from "../../../support/kafka-logs.ts";
import { settingsOf } from "../before.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { againstBefore, alternate, eachProgram } from "../benchmark.ts";
import type { Backlog } from "../drain.ts";
import { openBacklog } from "../drain.ts";
import { Child, runYardstick } from "../processes.ts";
import type { Stage } from "../stage.ts";

const sizes = {
  full: { deadLetters: 100_000, pairs: 5 },
  quick: { deadLetters: 5000, pairs: 1 },
} as const;
const batchRecords = 1000;

export const replay100k: Benchmark = {
  name: "replay-100k",
  job: "replay 100,000 dead letters, each looked up in the ledger; start-up included",
  unit: "mails/s",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "kafkajs consume and produce, batch by batch; start-up included",
      target: { atLeast: 0.7 },
    },
    againstBefore({ atLeast: 0.9 }),
  ],
  inQuick: false,
  measure: async (stage, scale) => {
    const { deadLetters, pairs } = sizes[scale];
    await using backlog = await openBacklog(stage);
    await addDeadLetters(backlog, deadLetters);
    const { brokers, topic } = backlog;
    const move = { brokers, topic: backlog.deadLetters, to: topic, records: deadLetters };
    return await alternate(pairs, {
      print: stage.print,
      ...eachProgram(stage, (program) => replayAll(program, backlog, deadLetters)),
      yardstick: () => runYardstick(stage, "move", move),
    });
  },
};

/** Of mails whose ledger records have expired, as those of serve-email have after 24 hours. */
async function addDeadLetters({ brokers, topic, deadLetters }: Backlog, count: number) {
  await using log = await openKafkaLogAt(brokers);
  for (let offset = 0; offset < count; offset += batchRecords) {
    const length = Math.min(batchRecords, count - offset);
    const records = Array.from({ length }, (_, index) => makeDeadLetter(topic, offset + index));
    await log.publish(deadLetters, records, { deadlineMs: 30_000 });
  }
}

function makeDeadLetter(topic: string, offset: number) {
  const event = lastingCodeEvent();
  const { timestamp } = event;
  return encodeDeadLetter(
    {
      topic,
      partition: 0,
      offset,
      timestamp,
      timestampType: "CreateTime",
      key: eventKey(event),
      value: encodeEmailEvent(event),
      headers: [],
    },
    {
      class: "retries_exhausted",
      reason: "450 4.2.0 Mailbox busy",
      attempts: 4,
      failedAt: timestamp,
      group: "bench",
    },
  );
}

/** Nobody consumes the events, so the same dead letters may be replayed again and again. */
async function replayAll(stage: Stage, backlog: Backlog, deadLetters: number): Promise<Measured> {
  await using redis = await stage.openRedis();
  const { program } = stage;
  const directory = stage.makeDirectory();
  const flags = ["--from-offset", "--yes", "--json", "--rate", "1000000"];
  const startedAt = performance.now();
  await using child = new Child([program.path, "replay-dlq", ...flags], {
    directory,
    environment: settingsOf(program, {
      ...backlog.environment,
      REDIS_URL: redis.url,
      DATA_DIR: join(directory, "data"),
    }),
  });
  const { replayed } = JSON.parse(await child.finish());
  const ms = performance.now() - startedAt;
  if (replayed !== deadLetters) throw new Error(`${replayed} of ${deadLetters} were replayed`);
  return { value: (deadLetters * 1000) / ms, cpuMicros: child.cpuMicros / deadLetters };
}
