import { describe, expect, test } from "bun:test";
import type { PartitionMetadata } from "kafkajs";
import { Partitioners } from "kafkajs";
import { InstantError } from "../../src/core/errors.ts";
import { eventLogErrors, murmur2, partitionOfKey } from "../../src/email/event-log/event-log.ts";
import { choosePartition } from "../../src/email/event-log/kafka/producer.ts";
import { OutgoingMessage } from "../../src/email/event-log/kafka/record-encoder.ts";
import type { QueuedRecord } from "../../src/email/event-log/kafka/record-queue.ts";
import { Publication, RecordQueue } from "../../src/email/event-log/kafka/record-queue.ts";
import { SeededRandom } from "../support/seeded-random.ts";

describe("the partition of a record", () => {
  function describePartitions(count: number): PartitionMetadata[] {
    return Array.from({ length: count }, (_, partitionId) => ({
      partitionId,
      partitionErrorCode: 0,
      leader: 1,
      replicas: [1],
      isr: [1],
    }));
  }

  test("hashes are those of Kafka's own tests", () => {
    const hashes: readonly (readonly [string, number])[] = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["a-little-bit-long-string", -985981536],
      ["a-little-bit-longer-string", -1486304829],
      ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
      ["abc", 479470107],
    ];
    for (const [key, hash] of hashes) expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  test("a key of any length goes to the partition that kafkajs chooses", () => {
    const choose = Partitioners.DefaultPartitioner();
    const random = new SeededRandom(1);
    const partitions = 7;
    const partitionMetadata = describePartitions(partitions);
    for (let round = 0; round < 400; round += 1) {
      const key = Buffer.from(Array.from({ length: round % 40 }, () => random.below(256)));
      const expected = choose({ topic: "t", partitionMetadata, message: { key, value: null } });
      expect(partitionOfKey(key, partitions)).toBe(expected);
    }
  });

  test("messages without a key take turns, and each keeps its partition when it is sent again", () => {
    const partitionMetadata = describePartitions(3);
    const partitionOf = choosePartition();
    const record = { key: null, value: Buffer.from("x"), headers: [] };
    const messages = [0, 1, 2].map(() => new OutgoingMessage(record));
    const place = () =>
      messages.map((message) => partitionOf({ topic: "topic", partitionMetadata, message }));
    const first = place();
    expect(first.toSorted()).toEqual([0, 1, 2]);
    expect(place()).toEqual(first);
    expect(messages.map(({ partition }) => partition)).toEqual(first);
  });
});

describe("the queue of records", () => {
  const failure = new InstantError(eventLogErrors.logUnavailable);

  function queued(bytes: number, publication = new Publication(1, 60_000)): QueuedRecord {
    publication.positions.catch(() => {});
    const record = { key: null, value: null, headers: [] };
    return { record, bytes, publication, index: 0, alone: false };
  }

  function fill(queue: RecordQueue, sizes: readonly number[]): readonly QueuedRecord[] {
    const records = sizes.map((bytes) => queued(bytes));
    for (const record of records) queue.push(record);
    return records;
  }

  test("a batch ends at the most records and at the most bytes", () => {
    const queue = new RecordQueue();
    const records = fill(queue, [100, 100, 100, 400, 300]);
    expect(queue.take({ recordsMax: 2, bytesMax: 1_000 })).toEqual(records.slice(0, 2));
    expect(queue.take({ recordsMax: 9, bytesMax: 600 })).toEqual(records.slice(2, 4));
    expect(queue.take({ recordsMax: 9, bytesMax: 600 })).toEqual(records.slice(4));
    expect(queue.bytes).toBe(0);
  });

  test("a record over the most bytes is a batch of its own", () => {
    const queue = new RecordQueue();
    const records = fill(queue, [5_000, 10]);
    expect(queue.take({ recordsMax: 9, bytesMax: 100 })).toEqual(records.slice(0, 1));
    expect(queue.take({ recordsMax: 9, bytesMax: 100 })).toEqual(records.slice(1));
  });

  test("records that go alone are not joined by others", () => {
    const queue = new RecordQueue();
    const records = fill(queue, [10, 10, 10]);
    const batch = queue.take({ recordsMax: 2, bytesMax: 1_000 });
    for (const record of batch) record.alone = true;
    queue.unshift(batch);
    const sizes = [1, 2, 3].map(() => queue.take({ recordsMax: 9, bytesMax: 1_000 }));
    expect(sizes).toEqual(records.map((record) => [record]));
  });

  test("a record whose publication has failed is not sent", () => {
    const queue = new RecordQueue();
    const [first, second] = fill(queue, [10, 10]);
    first?.publication.reject(failure);
    expect(queue.take({ recordsMax: 9, bytesMax: 1_000 })).toEqual(second ? [second] : []);
    expect(queue.bytes).toBe(0);
  });

  test("a queue that was long keeps order and count", () => {
    const queue = new RecordQueue();
    const records = fill(queue, new Array(5_000).fill(1));
    const taken: QueuedRecord[] = [];
    while (queue.length > 0) taken.push(...queue.take({ recordsMax: 333, bytesMax: 1_000_000 }));
    expect(taken).toEqual([...records]);
  });

  test("a publication resolves with its positions in order once all are acknowledged", async () => {
    const publication = new Publication(2, 60_000);
    publication.acknowledge(1, { topic: "topic", partition: 1, offset: 8 });
    expect(publication.isOpen).toBe(true);
    publication.acknowledge(0, { topic: "topic", partition: 0, offset: 7 });
    expect((await publication.positions).map(({ offset }) => offset)).toEqual([7, 8]);
  });

  test("a publication rejects at its deadline, and stays rejected", async () => {
    const publication = new Publication(1, 20);
    await expect(publication.positions).rejects.toMatchObject({ code: "log_unavailable" });
    publication.acknowledge(0, { topic: "topic", partition: 0, offset: 7 });
    await expect(publication.positions).rejects.toMatchObject({ code: "log_unavailable" });
  });

  test("a publication of nothing resolves", async () => {
    expect(await new Publication(0, 20).positions).toEqual([]);
  });
});
