import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import type { OutgoingRecord } from "../../src/email/event-log/event-log.ts";
import { crc32c } from "../../src/email/event-log/kafka/crc32c.ts";
import {
  encodeRecordBatch,
  OutgoingMessage,
  recordBytesBound,
} from "../../src/email/event-log/kafka/record-encoder.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** Our batches are compared with what kafkajs writes, and read by kafkajs' own reader. */
const inside = createRequire(import.meta.resolve("kafkajs/package.json"));
const sequence = { producerId: "4611686018427387905", producerEpoch: 3, firstSequence: 77_000 };

function encode(records: readonly OutgoingRecord[]): Buffer {
  const messages = records.map((record) => new OutgoingMessage(record));
  const batch = encodeRecordBatch({ messages, ...sequence });
  if (batch === undefined) throw new Error("not encoded");
  return batch;
}

/** As kafkajs writes them; it cannot write a header that is null, nor keep the order of all. */
async function encodeByKafkajs(records: readonly OutgoingRecord[], now: number): Promise<Buffer> {
  const Record = inside("./src/protocol/recordBatch/record/v0/index.js");
  const { RecordBatch } = inside("./src/protocol/recordBatch/v0/index.js");
  const encoded = records.map(({ key, value, headers }, offsetDelta) => {
    return Record({ key, value, headers: Object.fromEntries(headers), offsetDelta });
  });
  const times = { firstTimestamp: now, maxTimestamp: now };
  const rest = { ...sequence, ...times, lastOffsetDelta: records.length - 1 };
  return (await RecordBatch({ records: encoded, ...rest })).buffer;
}

/** The lengths at which a length takes one byte more. */
const lengths = [0, 1, 63, 64, 65, 127, 128, 8_191, 8_192, 20_000];

function randomRecord(random: SeededRandom, withNulls: boolean): OutgoingRecord {
  const bytes = () => {
    const length = lengths[random.below(lengths.length)] ?? 0;
    return Buffer.alloc(length, random.below(256));
  };
  const nullable = () => (withNulls && random.below(4) === 0 ? null : bytes());
  const names = ["traceparent", "é", "a name", "x".repeat(200), "b"];
  const headers = names.slice(0, random.below(5)).map((name) => [name, nullable()] as const);
  if (withNulls && random.below(3) === 0) headers.push(["b", null], ["1", bytes()]);
  return { key: nullable(), value: nullable(), headers };
}

test("a batch is to the byte what kafkajs writes", async () => {
  for (let seed = 0; seed < 40; seed += 1) {
    const random = new SeededRandom(seed);
    const records = Array.from({ length: 1 + random.below(200) }, () =>
      randomRecord(random, false),
    );
    const batch = encode(records);
    const now = Number(batch.readBigInt64BE(27));
    const expected = await encodeByKafkajs(records, now);
    expect(batch.equals(expected), `seed ${seed}`).toBe(true);
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
  }
});

test("records with nulls and repeated headers are read as they were, in order", async () => {
  const readRecord = inside("./src/protocol/recordBatch/record/v0/decoder.js");
  const Decoder = inside("./src/protocol/decoder.js");
  const Header = inside("./src/protocol/recordBatch/header/v0/decoder.js");
  const random = new SeededRandom(7);
  const records = Array.from({ length: 300 }, () => randomRecord(random, true));
  const decoder = new Decoder(encode(records).subarray(61));
  records.forEach(({ key, value, headers }, index) => {
    const bytes: Buffer = decoder.readVarIntBytes();
    const whole = readRecord(new Decoder(bytes), { firstOffset: "0", firstTimestamp: "0" });
    expect(whole).toMatchObject({ offset: String(index), timestamp: "0", key, value });
    const fields = new Decoder(bytes);
    fields.readInt8();
    fields.readVarLong();
    fields.readVarInt();
    fields.readVarIntBytes();
    fields.readVarIntBytes();
    const list = fields.readVarIntArray(Header).map((header: { key: string; value: unknown }) => {
      return [header.key, header.value];
    });
    expect(list).toEqual(headers);
  });
  expect(decoder.canReadBytes(1)).toBe(false);
});

test("the bound of a record's bytes is met, and hardly exceeds them", () => {
  const random = new SeededRandom(3);
  for (let round = 0; round < 200; round += 1) {
    const record = randomRecord(random, true);
    const bytes = encode([record]).length - 61;
    expect(recordBytesBound(record)).toBeWithin(bytes, bytes + 10);
  }
});

test("what another producer sends is left to kafkajs", () => {
  const record = { key: null, value: null, headers: [] };
  const messages = [new OutgoingMessage(record), { value: "theirs" }];
  expect(encodeRecordBatch({ messages, ...sequence })).toBeUndefined();
});

test("the checksum is that of kafkajs, at any length and from any place", () => {
  const theirs = inside("./src/protocol/recordBatch/crc32C/index.js");
  const random = new SeededRandom(5);
  const bytes = Buffer.from(Array.from({ length: 100 }, () => random.below(256)));
  for (let from = 0; from <= bytes.length; from += 1) {
    expect(crc32c(bytes, from)).toBe(theirs(bytes.subarray(from)));
  }
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
});
