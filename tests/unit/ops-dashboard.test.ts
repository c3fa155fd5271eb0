import { describe, expect, test } from "bun:test";
import type { DeliveryOutcome } from "../../src/email/delivery/outcome.ts";
import type { OpsSnapshot } from "../../src/email/ops/dashboard.tsx";
import { renderSections } from "../../src/email/ops/dashboard.tsx";
import {
  AcceptanceTimes,
  LiveFeed,
  OutcomeHistory,
  watchersMax,
} from "../../src/email/ops/live-feed.ts";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";

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

const refused: DeliveryOutcome = {
  kind: "dead_letter",
  deadLetter: {
    class: "rejected",
    reason: "recipient refused: 550 <ana@example.com> no",
    messageId: "m1",
    attempts: 1,
    inLedger: true,
  },
};

describe("the history of outcomes", () => {
  test("counts the last 60 minutes by what became of the mails", async () => {
    const clock = new FakeClock();
    const history = new OutcomeHistory(clock);
    history.observe({ kind: "accepted" });
    await clock.advance(30 * 60_000);
    history.observe({ kind: "duplicate" });
    history.observe({ kind: "retry", waitMs: 1, cause: "deferred", reason: "451 later" });
    history.observe({ kind: "leased", waitMs: 1 });
    history.observe(refused); // counted once its dead letter is written
    history.observeDeadLetter();
    const minutes = history.minutes();
    expect(minutes).toHaveLength(60);
    expect(minutes[29]).toMatchObject({ accepted: 1, skipped: 0, retried: 0, dead_letter: 0 });
    expect(minutes[59]).toMatchObject({ accepted: 0, skipped: 1, retried: 1, dead_letter: 1 });
    await clock.advance(30 * 60_000);
    expect(history.minutes().reduce((sum, { accepted }) => sum + accepted, 0)).toBe(0);
  });

  test("keeps the newest 20 failures, the same in a row once, and no full address", () => {
    const clock = new FakeClock();
    const history = new OutcomeHistory(clock);
    const event = codeEvent({ recipient: "ana@example.com" });
    history.observe(refused, event);
    history.observe(refused, event);
    expect(history.failures()).toMatchObject([{ class: "rejected", times: 2 }]);
    expect(JSON.stringify(history.failures())).not.toContain("ana@");
    for (let index = 0; index < 30; index += 1) {
      const down = {
        kind: "server_down",
        cause: "system",
        host: "h",
        reason: `down ${index}`,
      } as const;
      history.observe({ kind: "server_down", down, untilMs: 0 }, event);
    }
    expect(history.failures()).toHaveLength(20);
    expect(history.failures()[0]).toMatchObject({ class: "server_down", reason: "down 29" });
  });
});

describe("the times to acceptance", () => {
  test("are p50, p95 and p99 of the last five minutes, to 9 %", async () => {
    const clock = new FakeClock();
    const times = new AcceptanceTimes(clock);
    expect(times.summary()).toEqual({
      count: 0,
      p50: undefined,
      p95: undefined,
      p99: undefined,
    });
    for (let ms = 1; ms <= 1000; ms += 1) times.add(ms);
    const { count, p50 = 0, p95 = 0, p99 = 0 } = times.summary();
    expect(count).toBe(1000);
    for (const ratio of [p50 / 500, p95 / 950, p99 / 990]) {
      expect(ratio).toBeGreaterThanOrEqual(1);
      expect(ratio).toBeLessThan(1.1);
    }
    await clock.advance(5 * 60_000);
    expect(times.summary().count).toBe(0);
  });

  test("may be negative, when a clock ran ahead, and may be days", () => {
    const times = new AcceptanceTimes(new FakeClock());
    times.add(-5);
    times.add(30 * 86_400_000);
    expect(times.summary()).toMatchObject({ count: 2, p50: 1 });
  });
});

const decoder = new TextDecoder();

/** A browser on the feed, with what it received. */
function connect(response: Response | undefined) {
  if (response?.body === null || response === undefined)
    throw new Error("the feed takes no watcher");
  const reader = response.body.getReader();
  const received: Record<string, string>[] = [];
  const ended = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const text = decoder.decode(value);
      if (text.startsWith("data: ")) received.push(JSON.parse(text.slice(6)));
    }
  })();
  return { received, ended, leave: () => reader.cancel() };
}

describe("the live feed", () => {
  test("renders once for all watchers, sends what changed, and rests when they have left", async () => {
    let renders = 0;
    const render = async () => {
      renders += 1;
      return { steady: "same", count: String(renders) };
    };
    const feed = new LiveFeed({ render, everyMs: 5 });
    expect(renders).toBe(0);
    const watchers = [connect(feed.watch()), connect(feed.watch()), connect(feed.watch())];
    const [first] = watchers;
    await eventually("three changes", () => watchers.every(({ received }) => received.length >= 4));
    expect(first?.received[1]).toEqual({ steady: "same", count: "1" });
    expect(first?.received[2]).toEqual({ count: "2" });
    expect(renders).toBeLessThanOrEqual((first?.received.length ?? 0) + 1);
    for (const watcher of watchers) await watcher.leave();
    expect(feed.watchers).toBe(0);
    const atRest = renders;
    await Bun.sleep(30); // that nothing happens takes time to see
    expect(renders).toBeLessThanOrEqual(atRest + 1);
  });

  test("a later watcher gets all sections at once", async () => {
    const feed = new LiveFeed({ render: async () => ({ steady: "same" }), everyMs: 5 });
    const first = connect(feed.watch());
    await eventually("the first one has them", () => first.received.length >= 2);
    const later = connect(feed.watch());
    await eventually("so has the later one", () => later.received.length >= 1);
    expect(later.received[0]).toEqual({ steady: "same" });
    await feed.stop();
  });

  test("takes 20 watchers, and closes all connections when it stops", async () => {
    const feed = new LiveFeed({ render: async () => ({}), everyMs: 5 });
    const watchers = Array.from({ length: watchersMax }, () => connect(feed.watch()));
    expect(feed.watch()).toBeUndefined();
    await feed.stop();
    await Promise.all(watchers.map(({ ended }) => ended));
    expect(feed.watch()).toBeUndefined();
  });

  test("disconnects a browser that does not read", async () => {
    let count = 0;
    const render = async () => {
      count += 1;
      return { count: String(count) };
    };
    const feed = new LiveFeed({ render, everyMs: 1 });
    const stuck = feed.watch();
    const good = connect(feed.watch());
    await eventually("only one is left", () => feed.watchers === 1);
    const received = good.received.length;
    await eventually("the other one still receives", () => good.received.length > received);
    await stuck?.body?.cancel();
    await feed.stop();
  });
});
