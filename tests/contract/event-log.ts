import { describe, setDefaultTimeout } from "bun:test";
import { testEventLogGroups } from "./event-log-groups.ts";
import type { EventLogHarness } from "./event-log-harness.ts";
import { testEventLogOutages } from "./event-log-outages.ts";
import { testEventLogPublishing } from "./event-log-publishing.ts";
import { testEventLogRanges } from "./event-log-ranges.ts";
import { testEventLogSubscribing } from "./event-log-subscribing.ts";
import { testEventLogTopics } from "./event-log-topics.ts";

/** The contract of the `EventLog` port. Every adapter binds it, and differs only in `features`. */
export function testEventLog(name: string, harness: EventLogHarness): void {
  setDefaultTimeout(60_000); // a group may take half a minute to notice a death
  describe(`EventLog on ${name}`, () => {
    describe("publishing", () => testEventLogPublishing(harness));
    describe("ranges and lag", () => testEventLogRanges(harness));
    describe("topics", () => testEventLogTopics(harness));
    describe("subscribing", () => testEventLogSubscribing(harness));
    describe("groups", () => testEventLogGroups(harness));
    describe("outages", () => testEventLogOutages(harness));
  });
}
