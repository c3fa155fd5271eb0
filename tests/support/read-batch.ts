import type { KafkaMessage } from "kafkajs";
import { recordBatches } from "kafkajs";
import {
  batchBytesMaxDefault,
  decodeRecord,
  installRecordBatches,
} from "../../src/email/event-log/kafka/record-batch.ts";

/**
 * Reads the record batch in the file of its argument as a fetch would, and prints what came of it:
 * how much the process grew, and for how long its event loop stood still.
 */
installRecordBatches({ bytesMax: batchBytesMaxDefault });
const batch = Buffer.from(await Bun.file(process.argv[2] ?? "").arrayBuffer());
const before = process.memoryUsage().rss;
let [most, silentMsMax, heardAt] = [before, 0, performance.now()];
const heartbeat = setInterval(() => {
  most = Math.max(most, process.memoryUsage().rss);
  silentMsMax = Math.max(silentMsMax, performance.now() - heardAt);
  heardAt = performance.now();
}, 5);
const messages = (await recordBatches.read?.(batch, {})) ?? [];
const records = messages.map((message) =>
  decodeRecord("topic", 0, message as unknown as KafkaMessage),
);
clearInterval(heartbeat);
most = Math.max(most, process.memoryUsage().rss);
console.log(
  JSON.stringify({
    kinds: records.map(({ value, unread }) => unread?.of ?? Buffer.from(value ?? []).toString()),
    bytes: records[0]?.unread?.bytes,
    grownBytes: most - before,
    silentMsMax,
  }),
);
