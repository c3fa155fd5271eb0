import { expect, test } from "bun:test";
import { CompressionCodecs, CompressionTypes } from "kafkajs";
import { registerKafkaCodecs } from "../../src/core/kafka/codecs.ts";

test.each([
  ["snappy", CompressionTypes.Snappy],
  ["lz4", CompressionTypes.LZ4],
  ["zstd", CompressionTypes.ZSTD],
])("a broken %s batch is named, and not tried again", async (name, type) => {
  registerKafkaCodecs();
  const codec = CompressionCodecs[type as 2 | 3 | 4]();
  const broken = codec.decompress(Buffer.from("this was never compressed"));
  await expect(broken).rejects.toMatchObject({ retriable: false });
  await expect(broken).rejects.toThrow(`a ${name} batch is broken`);
});
