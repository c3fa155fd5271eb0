import { silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import type { SqliteEventLogOptions } from "../../src/email/event-log/sqlite/sqlite.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";

/**
 * Opens an event log by its address, `sqlite:<file>` or `kafka:<brokers>`, with timings that suit
 * tests; also in a child process, which knows nothing else of it.
 */
export async function openEventLog(address: string): Promise<EventLog> {
  const [technology, place = ""] = splitOnce(address, ":");
  switch (technology) {
    case "kafka":
      return await openKafkaLogAt(place);
    case "sqlite":
      return await openEmbeddedEventLog(place);
    default:
      throw new Error(`no event log opens ${address}`);
  }
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Short enough for tests, long enough for a machine with other work. */
const quick = { heartbeatMs: 200, sessionMs: 2_000 };

/** Opens the event log in `path` with a connection of its own, closed with the log. */
export async function openEmbeddedEventLog(
  path: string,
  options: Partial<SqliteEventLogOptions> = {},
): Promise<EventLog> {
  const database = await openSqlite(path);
  const log = await openSqliteEventLog(database, { log: silentLog, timings: quick, ...options });
  const close = async () => {
    await log.close();
    await database.close();
  };
  return { ...log, close, [Symbol.asyncDispose]: close };
}
