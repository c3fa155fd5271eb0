import { expect, test } from "bun:test";
import type { OpsSnapshot } from "../../src/email/ops/dashboard.tsx";
import { renderSections } from "../../src/email/ops/dashboard.tsx";

const partition = { partition: 0, committed: 7, records: 0, seconds: 0, owner: "10.0.3.7" };
const quiet: OpsSnapshot = {
  host: "mail-1",
  pausedReasons: [],
  inFlight: 0,
  unfinished: 0,
  ownPartitions: [0],
  lag: { partitions: [partition], problem: undefined },
  minutes: [],
  acceptance: { count: 0, p50: undefined, p95: undefined, p99: undefined },
  failures: [],
  replay: { kind: "none" },
};

/** The text of a section of the dashboard. */
function textOf(part: "state" | "figures", changes: Partial<OpsSnapshot> = {}): string {
  const html = renderSections({ ...quiet, ...changes })[part] ?? "";
  return html.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ");
}

test("delivery is running while nothing waits for long", () => {
  const lag = { partitions: [{ ...partition, records: 4, seconds: 2 }], problem: undefined };
  expect(textOf("state", { lag }).trim()).toBe("Delivery is running");
});

test.each([
  ["The oldest event has been waiting for 5 min", { seconds: 300 }],
  ["Partition 0 has no consumer, and a lag of 4 events", { seconds: 2, owner: undefined }],
])("delivery is lagging when events wait without a pause: %s", (text, changes) => {
  const lag = { partitions: [{ ...partition, records: 4, ...changes }], problem: undefined };
  const state = textOf("state", { lag });
  expect(state).toContain("Delivery is lagging");
  expect(state).toContain(text);
});

test("delivery is lagging when a transaction keeps events from being read", () => {
  const stateAfter = (seconds: number) => {
    const openTransaction = { offset: 7, records: 2, seconds };
    return textOf("state", {
      lag: { partitions: [{ ...partition, openTransaction }], problem: undefined },
    });
  };
  expect(stateAfter(59)).toContain("Delivery is running");
  expect(stateAfter(150)).toMatch(
    /transaction has been open for 2 min at offset 7 of partition 0: up to 2 events/,
  );
});

test("a pause says why, and what to do about it", () => {
  const state = textOf("state", { pausedReasons: ["Redis is not connected"] });
  expect(state).toMatch(/Delivery is paused .*Redis is not connected .*instant doctor/);
});

test("the lag is unknown while the event log does not answer", () => {
  const lag = { partitions: [partition], problem: "Kafka is unreachable" };
  expect(textOf("figures", { lag })).toContain("Consumer lag ? unknown; last known: 0");
});

test("the times to acceptance are p50, p95 and p99", () => {
  const acceptance = { count: 2, p50: 90, p95: 1_200, p99: 70_000 };
  expect(textOf("figures", { acceptance })).toContain("90 ms / 1.2 s / 1 min");
  expect(textOf("figures")).toMatch(/p50 \/ p95 \/ p99 –/);
});
