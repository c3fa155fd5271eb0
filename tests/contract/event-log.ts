import { describe, setDefaultTimeout } from "bun:test";
import { testEventLogGroups } from "./event-log-groups.ts";
import type { EventLogHarness } from "./event-log-harness.ts";
import { testEventLogRecords } from "./event-log-records.ts";
import { testEventLogSubscribing } from "./event-log-subscribing.ts";

/** The contract of the `EventLog` port. Every adapter binds it, and differs only in `features`. */
export function testEventLog(name: string, harness: EventLogHarness): void {
  setDefaultTimeout(60_000); // a group may take half a minute to notice a death
  describe(`EventLog on ${name}`, () => {
    describe("records", () => testEventLogRecords(harness));
    describe("subscribing", () => testEventLogSubscribing(harness));
    describe("groups", () => testEventLogGroups(harness));
  });
}
