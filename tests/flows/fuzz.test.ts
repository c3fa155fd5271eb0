import { describe, expect, test } from "bun:test";
import { eventRecordBytesMax } from "../../src/email/event.ts";
import type { OutgoingRecord } from "../../src/email/event-log/event-log.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";
import { FuzzedRecords } from "../support/fuzzed-records.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const total = Number(process.env["TEST_FUZZ_RECORDS"] ?? 20_000);
const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 1_000_000);
const batchSize = 500;
const batchBytesMax = eventRecordBytesMax / 2;

function* batches(records: FuzzedRecords): Generator<OutgoingRecord[]> {
  let batch: OutgoingRecord[] = [];
  let bytes = 0;
  for (let count = 0; count < total; count += 1) {
    const record = records.next();
    batch.push(record);
    bytes += record.value?.length ?? 0;
    if (batch.length < batchSize && bytes < batchBytesMax) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  yield batch;
}

describe("random and damaged records", () => {
  test(`end each as one of mail, dead letter, expired, duplicate (TEST_SEED=${seed})`, async () => {
    const ends = new Map<string, number>();
    await using rig = await openDeliveryRig({
      onEnd: (kind) => ends.set(kind, (ends.get(kind) ?? 0) + 1),
    });
    await rig.startWorker();
    for (const batch of batches(new FuzzedRecords(new SeededRandom(seed)))) {
      await rig.eventLog.publish(rig.eventsTopic, batch, { deadlineMs: 30_000 });
    }
    await rig.untilDrained(120_000);
    const deadLetters = await rig.deadLetters();
    const count = (kind: string) => ends.get(kind) ?? 0;
    expect([...ends.keys()].toSorted()).toEqual([
      "accepted",
      "dead_letter",
      "duplicate",
      "expired",
    ]);
    expect([...ends.values()].reduce((sum, each) => sum + each)).toBe(total);
    expect(rig.sink.acceptedTotal).toBe(count("accepted"));
    expect(deadLetters.length).toBe(count("dead_letter"));
    expect([...rig.sink.countByMessageId().values()].filter((times) => times > 1)).toEqual([]);
  }, 180_000);
});
