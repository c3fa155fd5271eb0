import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";
import { openEmbeddedEventLog } from "./embedded-event-log.ts";

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
