import { describe, expect, test } from "bun:test";
import type { BreakerState } from "../../src/email/delivery/breaker.ts";
import { Breaker } from "../../src/email/delivery/breaker.ts";
import { FakeClock } from "../support/fake-clock.ts";

function openBreaker(answers: (string | undefined)[]) {
  const clock = new FakeClock();
  const startedAt = clock.now();
  const probedAt: number[] = [];
  const changes: BreakerState["kind"][] = [];
  const breaker = new Breaker({
    clock,
    probe: async () => {
      probedAt.push(clock.now() - startedAt);
      return answers.shift();
    },
    probeDelayMsMin: 1000,
    probeDelayMsMax: 5000,
    onChange: (state) => changes.push(state.kind),
  });
  return { breaker, clock, probedAt, changes };
}

describe("a breaker", () => {
  test("lets work through while it is closed", async () => {
    const { breaker } = openBreaker([]);
    await breaker.untilClosed();
    expect(breaker.state).toEqual({ kind: "closed" });
  });

  test("probes after 1, 2, 4, 5, 5 s until the other side is back", async () => {
    const { breaker, clock, probedAt, changes } = openBreaker(["a", "b", "c", "d", undefined]);
    breaker.trip("down");
    await clock.advance(60_000);
    expect(probedAt).toEqual([1000, 3000, 7000, 12_000, 17_000]);
    expect(changes).toEqual(["open", "closed"]);
  });

  test("has the newest reason, and since when it is open", () => {
    const { breaker, clock } = openBreaker(["still"]);
    breaker.trip("first");
    breaker.trip("second");
    expect(breaker.state).toEqual({ kind: "open", reason: "second", since: clock.now() });
  });

  test("releases all waiters once it closes", async () => {
    const { breaker, clock } = openBreaker([undefined]);
    breaker.trip("down");
    const woken: number[] = [];
    const waits = [1, 2].map((waiter) => breaker.untilClosed().then(() => woken.push(waiter)));
    await clock.advance(999);
    expect(woken).toEqual([]);
    await clock.advance(1);
    await Promise.all(waits);
    expect(woken).toEqual([1, 2]);
  });

  test("releases a waiter at the time it named, still open", async () => {
    const { breaker, clock } = openBreaker(["a", "b", "c"]);
    breaker.trip("down");
    const wait = breaker.untilClosed({ untilMs: clock.now() + 500 });
    await clock.advance(500);
    await wait;
    expect(breaker.state.kind).toBe("open");
  });

  test("probes later when it opens again soon after it closed, and soon when it was closed for long", async () => {
    const { breaker, clock, probedAt } = openBreaker([undefined, undefined, undefined]);
    breaker.trip("down");
    await clock.advance(1000);
    breaker.trip("still");
    await clock.advance(2000);
    await clock.advance(60_000);
    breaker.trip("another day");
    await clock.advance(1000);
    expect(probedAt).toEqual([1000, 3000, 64_000]);
  });

  test("stops probing when it is stopped, and releases everyone", async () => {
    const { breaker, clock, probedAt } = openBreaker(["a", "b"]);
    breaker.trip("down");
    const wait = breaker.untilClosed();
    breaker.stop();
    await wait;
    await clock.advance(60_000);
    expect(probedAt).toEqual([]);
  });
});
