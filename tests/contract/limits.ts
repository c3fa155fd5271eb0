import { describe, expect, test } from "bun:test";
import type { Limits, RateLimit } from "../../src/auth/limits/limits.ts";
import { FakeClock } from "../support/fake-clock.ts";

const minute = 60_000;
const ana: RateLimit = {
  scope: "codes-per-client",
  subject: "192.0.2.7",
  quota: 3,
  windowMs: minute,
};
const ben: RateLimit = { ...ana, subject: "192.0.2.8" };
const all: RateLimit = { scope: "codes-global", subject: "all", quota: 5, windowMs: 10 * minute };

type OpenLimits = (options: { readonly clock: FakeClock }) => Promise<
  AsyncDisposable & {
    readonly limits: Limits;
    /** Everything that is kept, as text. */
    readonly dump: () => Promise<string>;
  }
>;

const take = (limits: Limits, ...budgets: readonly RateLimit[]) =>
  limits.take({ use: crypto.randomUUID(), limits: budgets });
const taken = { kind: "taken" } as const;

export function testLimits(name: string, open: OpenLimits): void {
  async function openOn() {
    const clock = new FakeClock();
    return { ...(await open({ clock })), clock };
  }

  describe(`Limits on ${name}`, () => {
    testWindows(openOn);
    testSeveral(openOn);
    testRepeats(openOn);
    testReserved(openOn);
    testEarned(openOn);
  });
}

type OpenOn = () => Promise<Awaited<ReturnType<OpenLimits>> & { readonly clock: FakeClock }>;

function testWindows(openOn: OpenOn): void {
  test("a quota in any window, each use free again when its own window is over", async () => {
    await using opened = await openOn();
    const { limits, clock } = opened;
    for (let use = 0; use < 3; use += 1) {
      expect(await take(limits, ana)).toEqual(taken);
      await clock.advance(10_000);
    }
    const spent = await take(limits, ana);
    expect(spent).toEqual({ kind: "rate_limited", limit: ana, retryAfterMs: 30_000 });
    await clock.advance(29_999);
    expect(await take(limits, ana)).toMatchObject({ kind: "rate_limited", retryAfterMs: 1 });
    await clock.advance(1);
    expect(await take(limits, ana)).toEqual(taken);
    expect(await take(limits, ana)).toMatchObject({ kind: "rate_limited", retryAfterMs: 10_000 });
  });

  test("what is refused costs nothing", async () => {
    await using opened = await openOn();
    const { limits, clock } = opened;
    for (let use = 0; use < 50; use += 1) await take(limits, ana);
    await clock.advance(minute);
    for (let use = 0; use < 3; use += 1) expect(await take(limits, ana)).toEqual(taken);
  });

  test("subjects and scopes are counted apart", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    for (let use = 0; use < 3; use += 1) await take(limits, ana);
    expect(await take(limits, ben)).toEqual(taken);
    expect(await take(limits, { ...ana, scope: "attempts-per-client" })).toEqual(taken);
  });

  test("a quota that was lowered holds at once", async () => {
    await using opened = await openOn();
    const { limits, clock } = opened;
    for (let use = 0; use < 3; use += 1) {
      await take(limits, ana);
      await clock.advance(1_000);
    }
    const lowered = { ...ana, quota: 1 };
    expect(await take(limits, lowered)).toMatchObject({
      kind: "rate_limited",
      retryAfterMs: 59_000,
    });
    await clock.advance(59_000);
    expect(await take(limits, lowered)).toEqual(taken);
  });

  test("no subject is kept as it is", async () => {
    await using opened = await openOn();
    await take(opened.limits, ana, all);
    const kept = await opened.dump();
    expect(kept).toContain("codes-per-client");
    expect(kept).not.toContain("192.0.2.7");
  });
}

function testSeveral(openOn: OpenOn): void {
  test("one is taken from each budget, or none from any", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    for (let use = 0; use < 3; use += 1) expect(await take(limits, ana, all)).toEqual(taken);
    for (let use = 0; use < 9; use += 1) {
      expect(await take(limits, ana, all)).toMatchObject({ kind: "rate_limited", limit: ana });
    }
    for (let use = 0; use < 2; use += 1) expect(await take(limits, ben, all)).toEqual(taken);
    expect(await take(limits, ben, all)).toMatchObject({ kind: "rate_limited", limit: all });
  });

  test("of several that are exhausted, the one that takes longest is named", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    for (let use = 0; use < 3; use += 1) await take(limits, ana, { ...all, quota: 3 });
    for (const budgets of [
      [ana, { ...all, quota: 3 }],
      [{ ...all, quota: 3 }, ana],
    ]) {
      const spent = await take(limits, ...budgets);
      expect(spent).toMatchObject({ limit: { scope: all.scope }, retryAfterMs: 10 * minute });
    }
  });

  test("of 200 uses at once exactly the quota is taken", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    const big = { ...all, quota: 17 };
    const uses = Array.from({ length: 200 }, (_, n) =>
      take(limits, { ...ana, subject: `client ${n}` }, big),
    );
    const outcomes = await Promise.all(uses);
    expect(outcomes.filter(({ kind }) => kind === "taken")).toHaveLength(17);
  });
}

function testRepeats(openOn: OpenOn): void {
  test("a use that is repeated is counted once, also when the budget is exhausted now", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    const request = { use: "same", limits: [ana, all] };
    for (let repeat = 0; repeat < 5; repeat += 1) expect(await limits.take(request)).toEqual(taken);
    for (let use = 0; use < 2; use += 1) expect(await take(limits, ana)).toEqual(taken);
    expect(await take(limits, ana)).toMatchObject({ kind: "rate_limited" });
    expect(await limits.take(request)).toEqual(taken);
  });

  test("what is given back is given back once", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    const request = { use: "same", limits: [ana, all] };
    await limits.take(request);
    for (let use = 0; use < 2; use += 1) await take(limits, ana, all);
    for (let repeat = 0; repeat < 3; repeat += 1) await limits.giveBack(request);
    expect(await take(limits, ana, all)).toEqual(taken);
    expect(await take(limits, ana, all)).toMatchObject({ kind: "rate_limited", limit: ana });
  });
}

const network = (subject: string): RateLimit => ({
  scope: "attempts-per-network",
  subject,
  quota: 100,
  windowMs: minute,
});

function testReserved(openOn: OpenOn): void {
  /** Four of the ten are for networks that have taken fewer than two. */
  const takeFrom = (limits: Limits, subject: string) =>
    limits.take({
      use: crypto.randomUUID(),
      limits: [network(subject), { ...all, quota: 10 }],
      reserved: { quota: 4, usesBelow: 2 },
    });

  test("the reserve of a budget is for those who have hardly used the one before it", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    for (let use = 0; use < 6; use += 1) expect(await takeFrom(limits, "one")).toEqual(taken);
    const refused = await takeFrom(limits, "one");
    expect(refused).toMatchObject({ limit: { scope: all.scope }, retryAfterMs: 10 * minute });
    for (const other of ["two", "two", "three", "three"]) {
      expect(await takeFrom(limits, other)).toEqual(taken);
    }
    expect(await takeFrom(limits, "four")).toMatchObject({ limit: { scope: all.scope } });
  });

  test("beyond the reserve, a use is free again as soon as one is for its network", async () => {
    await using opened = await openOn();
    const { limits, clock } = opened;
    for (let use = 0; use < 6; use += 1) {
      await takeFrom(limits, "one");
      await clock.advance(1_000);
    }
    expect(await takeFrom(limits, "one")).toMatchObject({ retryAfterMs: 10 * minute - 6_000 });
    expect(await takeFrom(limits, "two")).toEqual(taken);
    expect(await takeFrom(limits, "one")).toMatchObject({ retryAfterMs: 10 * minute - 5_000 });
    await clock.advance(minute); // "one" has used nothing lately
    expect(await takeFrom(limits, "one")).toEqual(taken);
  });
}

function testEarned(openOn: OpenOn): void {
  const codes: RateLimit = { ...ana, scope: "codes-per-network-and-mailbox" };
  const attempts: RateLimit = { ...ana, scope: "attempts-per-network-and-mailbox", quota: 1 };
  const attempt = (limits: Limits) =>
    limits.take({
      use: crypto.randomUUID(),
      limits: [attempts, { ...all, quota: 2 }],
      earnedBy: codes,
    });

  test("each use of what earns exempts the next one, whichever budget is exhausted", async () => {
    await using opened = await openOn();
    const { limits, clock } = opened;
    for (let use = 0; use < 2; use += 1) await take(limits, { ...all, quota: 2 });
    expect(await attempt(limits)).toMatchObject({ kind: "rate_limited" });
    for (let code = 0; code < 3; code += 1) {
      await take(limits, codes);
      expect(await attempt(limits)).toEqual(taken);
      expect(await attempt(limits)).toMatchObject({ kind: "rate_limited" });
      await clock.advance(1_000);
    }
  });

  test("an exempted use counts, and may be given back", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    const request = { use: "earned", limits: [attempts], earnedBy: codes };
    await take(limits, codes);
    expect(await limits.take(request)).toEqual(taken);
    expect(await take(limits, attempts)).toMatchObject({ kind: "rate_limited" });
    await limits.giveBack(request);
    expect(await take(limits, attempts)).toEqual(taken);
  });

  test("of 50 at once one is exempted", async () => {
    await using opened = await openOn();
    const { limits } = opened;
    for (let use = 0; use < 2; use += 1) await take(limits, { ...all, quota: 2 });
    await take(limits, codes);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => attempt(limits)));
    expect(outcomes.filter(({ kind }) => kind === "taken")).toHaveLength(1);
  });

  test("what was given back, or is older than the window, earns nothing", async () => {
    await using opened = await openOn();
    const { limits, clock } = opened;
    for (let use = 0; use < 2; use += 1) await take(limits, { ...all, quota: 2 });
    const refunded = { use: "code", limits: [codes] };
    await limits.take(refunded);
    await limits.giveBack(refunded);
    expect(await attempt(limits)).toMatchObject({ kind: "rate_limited" });
    await take(limits, codes);
    await clock.advance(minute);
    expect(await attempt(limits)).toMatchObject({ kind: "rate_limited" });
  });
}
