import type { HeaderList, KafkaMessage, Message } from "kafkajs";
import type { LogRecord, OutgoingRecord } from "../event-log.ts";

/** Records as kafkajs takes and gives them. The bytes of one that is sent are shared, not copied. */
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
 * A view would keep the whole fetched batch in memory for as long as one record of it waits; where
 * the record is most of that, a copy would cost as much again.
 */
function ownBytes(bytes: Buffer | null): Uint8Array | null {
  if (bytes === null) return null;
  const { buffer, byteOffset, byteLength } = bytes;
  return byteLength * 2 > buffer.byteLength
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}
