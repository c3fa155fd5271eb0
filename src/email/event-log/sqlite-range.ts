import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { LogRange, LogRecord } from "./event-log.ts";
import { readLog } from "./sqlite-errors.ts";
import { readPage } from "./sqlite-records.ts";
import { getTopic } from "./sqlite-topics.ts";

const recordsPerPage = 200;

/** The records of a range, a page in each turn of the event loop. Throws `topic_missing`. */
export async function* readRange(
  database: SqliteDatabase,
  { topic: topicName, partition, from, to, signal }: LogRange,
): AsyncGenerator<LogRecord, void, undefined> {
  let next = from;
  while (next < to) {
    const page = { partition, from: next, to, recordsMax: recordsPerPage };
    const records = readLog(database, (file) => readPage(file, getTopic(file, topicName), page));
    for (const record of records) {
      signal?.throwIfAborted();
      yield record;
    }
    const last = records.at(-1);
    if (last === undefined) return;
    next = last.offset + 1;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}
