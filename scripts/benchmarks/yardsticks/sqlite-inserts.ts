/**
 * The yardstick of the embedded drain: the same events put into a table like that of the embedded
 * log by bun:sqlite alone, one transaction per 100, with the program's own settings of the file.
 * `bun sqlite-inserts.ts FILE COUNT` prints
 * `{"perSecond":…,"cpuMicros":…}`.
 */
import { Database } from "bun:sqlite";
import { encodeEmailEvent, eventKey } from "../../../src/email/event.ts";
import { makeMails } from "../../faults/mails.ts";

const rowsPerTransaction = 100;

const [file = "", count = ""] = process.argv.slice(2);
const events = makeMails(Number(count));
const rows = events.map((event) => [eventKey(event), encodeEmailEvent(event)] as const);
const database = new Database(file);
database.run("PRAGMA journal_mode = WAL");
database.run("PRAGMA synchronous = FULL");
database.run(`CREATE TABLE records (
  topic_id INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  timestamp INTEGER NOT NULL, key BLOB, value BLOB, headers TEXT,
  PRIMARY KEY (topic_id, partition, offset)
) STRICT, WITHOUT ROWID`);
const insert = database.prepare("INSERT INTO records VALUES (1, 0, ?, ?, ?, ?, NULL)");
const insertAll = database.transaction((from: number) => {
  for (const [index, [key, value]] of rows.slice(from, from + rowsPerTransaction).entries()) {
    insert.run(from + index, Date.now(), key, value);
  }
});
const startedAt = performance.now();
const before = process.cpuUsage();
for (let from = 0; from < rows.length; from += rowsPerTransaction) insertAll.immediate(from);
const perSecond = rows.length / ((performance.now() - startedAt) / 1000);
const { user, system } = process.cpuUsage(before);
insert.finalize();
database.close();
console.log(JSON.stringify({ perSecond, cpuMicros: (user + system) / rows.length }));
