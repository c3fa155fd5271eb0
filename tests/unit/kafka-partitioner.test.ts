import { expect, test } from "bun:test";
import type { PartitionMetadata } from "kafkajs";
import { StickyPartitions } from "../../src/email/event-log/kafka/producer.ts";

const partitionMetadata: PartitionMetadata[] = [0, 1, 2].map((partitionId) => {
  return { partitionId, partitionErrorCode: 0, leader: 1, replicas: [1], isr: [1] };
});

test("messages without a key take turns, and each stays where it is when it is sent again", () => {
  const partitions = new StickyPartitions();
  const partitionOf = partitions.create();
  const messages = [0, 1, 2].map(() => ({ key: null, value: Buffer.from("x") }));
  const place = () =>
    messages.map((message) => partitionOf({ topic: "topic", partitionMetadata, message }));
  const first = place();
  expect(first.toSorted()).toEqual([0, 1, 2]);
  expect(place()).toEqual(first);
  expect(messages.map((message) => partitions.find(message))).toEqual(first);
});
