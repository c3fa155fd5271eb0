import type { HeaderList, KafkaMessage, Message } from "kafkajs";
import type { LogRecord, OutgoingRecord } from "../event-log.ts";

/** Converts records to and from kafkajs. The bytes of a sent record are shared, not copied. */
export function encodeRecord({ key, value, headers }: OutgoingRecord): Message {
  return {
    key: toBuffer(key),
    value: toBuffer(value),
    headers: headers.map(([name, content]) => ({ key: name, value: toBuffer(content) })),
  };
}

function toBuffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const noHeaders: HeaderList = [];

export function decodeRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: ownBytes(message.key),
    value: ownBytes(message.value),
    headers: (message.headerList ?? noHeaders).map(({ key, value }) => [key, ownBytes(value)]),
    timestamp: Number(message.timestamp),
    timestampType: message.batchContext?.timestampType === 1 ? "LogAppendTime" : "CreateTime",
    ...(message.unread === undefined ? {} : { unread: message.unread }),
  };
}

/**
 * A view would keep the whole fetched batch in memory as long as one of its records waits; where
 * the record is most of the batch, a copy would double the memory.
 */
function ownBytes(bytes: Buffer | null): Uint8Array | null {
  if (bytes === null) return null;
  const { buffer, byteOffset, byteLength } = bytes;
  return byteLength * 2 > buffer.byteLength
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}
