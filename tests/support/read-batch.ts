import { createRequire } from "node:module";
import type { KafkaMessage } from "kafkajs";
import {
  batchBytesMaxDefault,
  registerBatchReader,
} from "../../src/email/event-log/kafka/record-batch.ts";

/**
 * Reads the record batch in the file of its argument as a fetch would, and prints what came of it:
 * how much the process grew, and for how long its event loop stood still.
 */
const inside = createRequire(import.meta.resolve("kafkajs/package.json"));
registerBatchReader({ bytesMax: batchBytesMaxDefault });
const Decoder = inside("./src/protocol/decoder.js");
const decode = inside("./src/protocol/recordBatch/v0/decoder.js");
const batch = Buffer.from(await Bun.file(process.argv[2] ?? "").arrayBuffer());
const before = process.memoryUsage().rss;
let [most, silentMsMax, heardAt] = [before, 0, performance.now()];
const heartbeat = setInterval(() => {
  most = Math.max(most, process.memoryUsage().rss);
  silentMsMax = Math.max(silentMsMax, performance.now() - heardAt);
  heardAt = performance.now();
}, 5);
const { records }: { records: readonly KafkaMessage[] } = await decode(new Decoder(batch));
clearInterval(heartbeat);
most = Math.max(most, process.memoryUsage().rss);
console.log(
  JSON.stringify({
    kinds: records.map(({ value, unread }) => unread?.of ?? String(value)),
    bytes: records[0]?.unread?.bytes,
    grownBytes: most - before,
    silentMsMax,
  }),
);
