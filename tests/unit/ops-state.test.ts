import { expect, test } from "bun:test";
import { renderSections } from "../../src/email/ops/dashboard.tsx";
import type { OpsSnapshot } from "../../src/email/ops/live-feed.ts";

const partition = { partition: 0, committed: 7, records: 0, seconds: 0, owner: "10.0.3.7" };
const quiet: OpsSnapshot = {
  host: "mail-1",
  reasons: [],
  inFlight: 0,
  unfinished: 0,
  mine: [0],
  lag: { partitions: [partition], problem: undefined },
  minutes: [],
  acceptance: { count: 0, p50: undefined, p99: undefined },
  failures: [],
  replay: { kind: "none" },
};

/** The words of a part of the dashboard. */
function wordsOf(part: "state" | "figures", changes: Partial<OpsSnapshot> = {}): string {
  const html = renderSections({ ...quiet, ...changes })[part] ?? "";
  return html.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ");
}

test("mails flow while nothing waits for long", () => {
  const lag = { partitions: [{ ...partition, records: 4, seconds: 2 }], problem: undefined };
  expect(wordsOf("state", { lag }).trim()).toBe("Mails flow");
});

test.each([
  ["The oldest event has waited for 5 min", { seconds: 300 }],
  ["Nobody reads partition 0, where 4 wait", { seconds: 2, owner: undefined }],
])("mails that wait without a pause are not called well: %s", (words, changes) => {
  const lag = { partitions: [{ ...partition, records: 4, ...changes }], problem: undefined };
  const said = wordsOf("state", { lag });
  expect(said).toContain("Some mails are late");
  expect(said).toContain(words);
});

test("what a transaction keeps from being read is not called well", () => {
  const stateAfter = (seconds: number) => {
    const openTransaction = { offset: 7, records: 2, seconds };
    return wordsOf("state", {
      lag: { partitions: [{ ...partition, openTransaction }], problem: undefined },
    });
  };
  expect(stateAfter(59)).toContain("Mails flow");
  expect(stateAfter(150)).toMatch(
    /transaction has been open for 2 min at offset 7 of partition 0: up to 2 events/,
  );
});

test("a pause says why, and where to go from there", () => {
  const said = wordsOf("state", { reasons: ["Redis is not connected"] });
  expect(said).toMatch(/Delivery is paused .*Redis is not connected .*instant doctor/);
});

test("how much waits is not known while the event log does not tell", () => {
  const lag = { partitions: [partition], problem: "Kafka is away" };
  expect(wordsOf("figures", { lag })).toContain("Events waiting ? not known now; 0 before");
});
