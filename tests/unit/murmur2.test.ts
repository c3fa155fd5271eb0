import { expect, test } from "bun:test";
import { Partitioners } from "kafkajs";
import { murmur2, partitionOfKey } from "../../src/email/event-log/murmur2.ts";
import { SeededRandom } from "../support/seeded-random.ts";

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
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [0],
    isr: [0],
  }));
  for (let round = 0; round < 400; round += 1) {
    const key = Buffer.from(Array.from({ length: round % 40 }, () => random.below(256)));
    const expected = choose({ topic: "t", partitionMetadata, message: { key, value: null } });
    expect(partitionOfKey(key, partitions)).toBe(expected);
  }
});
