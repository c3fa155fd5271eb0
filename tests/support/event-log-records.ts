import type {
  EventLog,
  LogRecord,
  OutgoingRecord,
  RecordPosition,
} from "../../src/email/event-log/event-log.ts";

export function textRecord(key: string | null, text: string): OutgoingRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(text),
    headers: [],
  };
}

/** Publishes `texts` in one call, each under its own key, or all under `key`. */
export function publishTexts(
  log: EventLog,
  topic: string,
  texts: readonly string[],
  key?: string | null,
): Promise<readonly RecordPosition[]> {
  const records = texts.map((text) => textRecord(key === undefined ? text : key, text));
  return log.publish(topic, records, { deadlineMs: 10_000 });
}

export function textOf({ value }: Pick<LogRecord, "value">): string {
  return value === null ? "" : Buffer.from(value).toString();
}

/** `prefix 0`, `prefix 1`, … */
export function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}

export async function readAll(
  log: EventLog,
  topic: string,
  partition = 0,
  from = 0,
  to = Number.MAX_SAFE_INTEGER,
): Promise<readonly LogRecord[]> {
  return Array.fromAsync(log.readRange({ topic, partition, from, to }));
}
