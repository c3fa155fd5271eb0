import { beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import type { KafkaMessage } from "kafkajs";
import { CompressionCodecs } from "kafkajs";
import type { LogRecord } from "../../src/email/event-log/event-log.ts";
import {
  decodeRecord,
  installRecordBatches,
} from "../../src/email/event-log/kafka/record-batch.ts";
import type { HandBatch } from "../support/record-batches.ts";
import { compress, compressXerial, encodeBatch } from "../support/record-batches.ts";

/** What a fetch brought is read as a whole, whatever one of its batches holds. */
const inside = createRequire(import.meta.resolve("kafkajs/package.json"));
const mebibyte = 1024 * 1024;
const bytesMax = 2 * mebibyte;
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const compressing = ["gzip", "snappy", "lz4", "zstd"] as const;

beforeAll(() => installRecordBatches({ bytesMax }));

type Fetched = LogRecord & { readonly isControlRecord: boolean };

function read(...batches: readonly HandBatch[]): Promise<readonly Fetched[]> {
  return readBytes(Buffer.concat(batches.map(encodeBatch)));
}

async function readBytes(bytes: Buffer): Promise<readonly Fetched[]> {
  const Decoder = inside("./src/protocol/decoder.js");
  const decodeMessages = inside("./src/protocol/requests/fetch/v4/decodeMessages.js");
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  const messages: readonly (KafkaMessage & Fetched)[] = await decodeMessages(
    new Decoder(Buffer.concat([size, bytes])),
  );
  return messages.map((message) => {
    const { isControlRecord } = message;
    return { ...decodeRecord("topic", 0, message), isControlRecord };
  });
}

const small = (text: string) => ({ key: Buffer.from("k"), value: Buffer.from(text) });
const textsOf = (messages: readonly LogRecord[]) =>
  messages.map(({ value, unread }) => unread?.of ?? Buffer.from(value ?? []).toString());
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test.each(codecs)(
  "a %s record over the bound is passed over, its neighbours are read",
  async (codec) => {
    const value = Buffer.concat([Buffer.from("start"), Buffer.alloc(3 * mebibyte)]);
    const headers = [["name", Buffer.from("value")]] as const;
    const records = [small("before"), { key: Buffer.from("key"), value, headers }, small("behind")];
    const messages = await read({ codec, baseOffset: 40, records });
    expect(textsOf(messages)).toEqual(["before", "record", "behind"]);
    expect(messages[1]).toMatchObject({
      offset: 41,
      key: Buffer.from("key"),
      value: value.subarray(0, 64 * 1024),
      headers: [["name", new Uint8Array(Buffer.from("value"))]],
      unread: { firstOffset: 41, bytes: value.length, sha256: sha256(value) },
    });
    expect(messages[1]?.unread?.reason).toContain("KAFKA_BATCH_BYTES_MAX");
  },
);

test.each(compressing)(
  "a truncated %s batch gives what was whole, and one record for the rest",
  async (codec) => {
    const noise = Buffer.from(
      Array.from({ length: 5_000 }, (_, at) => (at * 7919 + (at >> 3)) % 251),
    );
    const records = [small("before"), { value: noise }, small("lost")];
    const batch = {
      codec,
      records,
      tamper: (bytes: Buffer) => bytes.subarray(0, bytes.length - 40),
    };
    const messages = await read(batch, { codec, baseOffset: 3, records: [small("next")] });
    expect(messages.map(({ offset }) => offset).at(-2)).toBe(2);
    expect(textsOf(messages).slice(-2)).toEqual(["batch", "next"]);
    expect(messages.at(-2)?.unread?.reason).toContain(codec);
  },
);

const liar = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 0x62]); // announces 1 GiB, holds "b"
test.each([
  ["snappy", (_: Buffer) => liar, "it ends early"],
  ["snappy", (bytes: Buffer) => compressXerial(bytes).subarray(0, 22), "it ends early"],
  [
    "lz4",
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 7), Buffer.from("ffffff7f00", "hex")]),
    "it ends early",
  ],
  ["lz4", (_: Buffer) => Buffer.from("this was never compressed"), "not an LZ4 frame"],
  ["gzip", (_: Buffer) => Buffer.from("this was never compressed"), "header"],
  ["zstd", (_: Buffer) => Buffer.from("this was never compressed"), "frame"],
  ["zstd", (bytes: Buffer) => bytes.subarray(0, 10), "early"],
] as const)("a %s batch that lies is one unread record (%#)", async (codec, tamper, reason) => {
  const started = performance.now();
  const records = [small("a"), small("b")];
  const batch: HandBatch = { codec, baseOffset: 7, records, tamper };
  const messages = await read(batch, { codec, baseOffset: 9, records: [small("next")] });
  expect(messages.map(({ offset }) => offset)).toEqual([8, 9]);
  expect(messages[0]?.unread).toMatchObject({ of: "batch", firstOffset: 7 });
  expect(messages[0]?.unread?.reason).toContain(`the records 7 to 8 cannot be read`);
  expect(messages[0]?.unread?.reason.toLowerCase()).toContain(reason.toLowerCase());
  expect(performance.now() - started).toBeLessThan(1_000);
});

test.each(codecs)("a %s batch whose checksum does not match is not believed", async (codec) => {
  const batch = { codec, records: [small("a"), small("b")], crc: 1 };
  const [only, ...others] = await read(batch);
  expect(others).toEqual([]);
  expect(only).toMatchObject({ offset: 1, unread: { of: "batch", firstOffset: 0 } });
  expect(only?.unread?.reason).toContain("checksum");
  expect(only?.value?.length).toBeGreaterThan(0);
});

test("where a checksum does not match, no field of the batch is believed", async () => {
  const tampered = (change: (batch: Buffer) => void) => {
    const batch = encodeBatch({ codec: "none", records: [small("a"), small("b")], crc: 1 });
    change(batch);
    return batch;
  };
  const next = encodeBatch({ codec: "none", baseOffset: 2, records: [small("next")] });
  const lastOffset = tampered((batch) => batch.writeInt32BE(1_000_000, 23));
  const control = tampered((batch) => batch.writeInt16BE(0x30, 21));
  for (const wrong of [lastOffset, control]) {
    for (const bytes of [wrong, Buffer.concat([wrong, next])]) {
      const [first, ...others] = await readBytes(bytes);
      expect(first).toMatchObject({ offset: 1, isControlRecord: false, unread: { of: "batch" } });
      expect(others.map(({ offset }) => offset)).toEqual(bytes === wrong ? [] : [2]);
    }
  }
});

test.each([1, 2, 3, 4] as const)("a message set of codec %i is bounded too", async (id) => {
  const codec = CompressionCodecs[id]();
  const name = compressing[id - 1] ?? "gzip";
  const small = compress[name](Buffer.alloc(1000, "a"));
  expect(await codec.decompress(small)).toEqual(Buffer.alloc(1000, "a"));
  for (const bytes of [compress[name](Buffer.alloc(bytesMax + 1)), Buffer.from("no such thing")]) {
    const failing = codec.decompress(bytes);
    await expect(failing).rejects.toMatchObject({ retriable: false });
    await expect(failing).rejects.toThrow(`a ${name} message set is broken`);
  }
});

test.each(codecs)("a %s batch that counts wrongly loses no record in silence", async (codec) => {
  const records = ["a", "b", "c"].map(small);
  expect(textsOf(await read({ codec, records, count: 4 }))).toEqual(["a", "b", "c"]);
  const fewer = await read({ codec, records, count: 2 });
  expect(textsOf(fewer)).toEqual(["a", "b", "batch"]);
  expect(fewer[2]).toMatchObject({ offset: 2, unread: { firstOffset: 2 } });
  expect(textsOf(await read({ codec, records, count: -1 }))).toEqual(["batch"]);
});

test("fields that lie within a record are not followed", async () => {
  const broken = async (plain: Buffer) => {
    const batch = { codec: "none", records: [small("a")], tamper: () => plain } as const;
    return textsOf(await read(batch));
  };
  // A million headers; a value longer than its record; a negative length; an offset far away.
  expect(await broken(Buffer.from("0e00000001018094ebdc03", "hex"))).toEqual(["batch"]);
  expect(await broken(Buffer.from("1400000001c80161000000", "hex"))).toEqual(["batch"]);
  expect(await broken(Buffer.from("0100000001000000000000", "hex"))).toEqual(["batch"]);
  expect(await broken(Buffer.from("120000fe0f010261000000", "hex"))).toEqual(["batch"]);
});

test("many small records are read up to the bound, the rest is one record", async () => {
  const records = Array.from({ length: 30_000 }, () => small("x".repeat(100)));
  const messages = await read({ codec: "gzip", records });
  const last = messages.at(-1);
  expect(messages.length).toBeLessThan(bytesMax / 256 + 2);
  expect(last).toMatchObject({ offset: 29999, unread: { firstOffset: messages.length - 1 } });
  expect(last?.unread?.reason).toContain("KAFKA_BATCH_BYTES_MAX");
});

test("one answer holds little more than the bound, however many bombs it has", async () => {
  const bomb = (baseOffset: number): HandBatch => {
    return { codec: "zstd", baseOffset, records: [{ value: Buffer.alloc(1.5 * mebibyte) }] };
  };
  const messages = await read(...Array.from({ length: 20 }, (_, offset) => bomb(offset)));
  expect(messages.map(({ offset }) => offset)).toEqual([0, 1]);
});

test("one answer holds little more than four times the bound, however many partitions have bombs", async () => {
  const Decoder = inside("./src/protocol/decoder.js");
  const decodeMessages = inside("./src/protocol/requests/fetch/v4/decodeMessages.js");
  const batch = encodeBatch({ codec: "lz4", records: [{ value: Buffer.alloc(1.5 * mebibyte) }] });
  const size = Buffer.alloc(4);
  size.writeInt32BE(batch.length);
  const decoder = new Decoder(
    Buffer.concat(Array.from({ length: 20 }, () => [size, batch]).flat()),
  );
  const counts: number[] = [];
  for (let partition = 0; partition < 20; partition += 1) {
    const messages = await decodeMessages(decoder);
    counts.push(messages.length);
    // What was left has no offset behind it: the next fetch begins where this one did.
    expect(messages.nextOffset === undefined).toBe(messages.length === 0);
  }
  expect(counts).toEqual([...Array(6).fill(1), ...Array(14).fill(0)]);
});

test.each(codecs)(
  "a record of %s exactly at the bound is whole, one byte more is not",
  async (codec) => {
    const bare = Buffer.alloc(bytesMax);
    const overhead = encodeBatch({ codec: "none", records: [{ value: bare }] }).length - 61 - 4;
    const value = Buffer.alloc(2 * bytesMax - overhead); // 4: the length before the record
    expect(textsOf(await read({ codec, records: [{ value }] }))[0]).toHaveLength(value.length);
    const longer = Buffer.alloc(value.length + 1);
    expect(textsOf(await read({ codec, records: [{ value: longer }, small("next")] }))[0]).toBe(
      "record",
    );
  },
);

test("frames as other compressors write them are read, or are one unread record", async () => {
  const records = [small("a"), small("b")];
  const skippable = Buffer.from("502a4d1803000000616263", "hex");
  const halves = (compressHalf: (bytes: Buffer) => Buffer, between = Buffer.alloc(0)) => {
    return (plain: Buffer) => {
      const middle = plain.length >> 1;
      const [one, two] = [plain.subarray(0, middle), plain.subarray(middle)];
      return Buffer.concat([compressHalf(one), between, compressHalf(two)]);
    };
  };
  const texts = async (codec: HandBatch["codec"], recompress: (plain: Buffer) => Buffer) => {
    return textsOf(await read({ codec, records, recompress }));
  };
  expect(await texts("gzip", halves(gzipSync))).toEqual(["a", "b"]);
  expect(await texts("zstd", halves(zstdCompressSync))).toEqual(["a", "b"]);
  expect(await texts("zstd", halves(zstdCompressSync, skippable))).toEqual(["a", "b"]);
  const hasChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
  expect(await texts("zstd", (plain) => zstdCompressSync(plain, hasChecksum))).toEqual(["a", "b"]);
  const legacy = Buffer.from("02214c18", "hex");
  const lz4Blocks = (plain: Buffer) => compress.lz4(plain).subarray(7);
  expect(await texts("lz4", (plain) => Buffer.concat([legacy, lz4Blocks(plain)]))).toEqual([
    "batch",
  ]);
  const withSize = (plain: Buffer) => {
    const contentSize = Buffer.alloc(8);
    contentSize.writeBigUInt64LE(BigInt(plain.length));
    // version 1, independent blocks, checksum of each block, content size; blocks of 64 KiB
    const head = Buffer.concat([Buffer.from("04224d187840", "hex"), contentSize, Buffer.alloc(1)]);
    const blocks = lz4Blocks(plain);
    return Buffer.concat([head, blocks.subarray(0, -4), Buffer.alloc(4), Buffer.alloc(4)]);
  };
  expect(await texts("lz4", withSize)).toEqual(["a", "b"]);
  const needsDictionary = Buffer.from("28b52ffd21070109000061", "hex");
  expect(await texts("zstd", () => needsDictionary)).toEqual(["batch"]);
  const hugeWindow = Buffer.from("28b52ffd00a8010000", "hex");
  expect(await texts("zstd", () => hugeWindow)).toEqual(["batch"]);
});

// gzip and zstd: tests/flows/process-unread-records.test.ts
test.each(["snappy", "lz4"] as const)(
  "300 MB of %s in one record cost neither memory nor time",
  async (codec) => {
    const value = Buffer.alloc(300 * mebibyte);
    const batch = encodeBatch({ codec, records: [{ value }, small("next")] });
    const path = `${process.env["TMPDIR"] ?? "/tmp"}/batch-${crypto.randomUUID()}`;
    await Bun.write(path, batch);
    const script = new URL("../support/read-batch.ts", import.meta.url).pathname;
    const child = Bun.spawn([process.execPath, script, path], { stderr: "inherit" });
    const read = JSON.parse(await child.stdout.text());
    await Bun.file(path).delete();
    expect(read).toMatchObject({ kinds: ["record", "next"], bytes: value.length });
    expect(read.grownBytes).toBeLessThan(150 * mebibyte);
    expect(read.silentMsMax).toBeLessThan(1_000);
  },
  30_000,
);
