import { describe, expect, test } from "bun:test";
import type { LimitPolicy } from "../../src/auth/limits/limits.ts";
import { limitPolicyDefault } from "../../support/settings.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { problemOf, signInEngines } from "../support/sign-in-world.ts";

const minute = 60_000;
const hour = 60 * minute;
const few = (changes: Partial<LimitPolicy>) => ({
  limitPolicy: { ...limitPolicyDefault, ...changes },
});
const budget = (quota: number, windowMs = hour) => ({ quota, windowMs });

const post = (world: SignInWorld, path: string, body: object, client = "192.0.2.1") =>
  world.request(path, { method: "POST", body, client });
const request = (world: SignInWorld, email: string, client?: string) =>
  post(world, "/auth/request-code", { email }, client);
const enter = (world: SignInWorld, email: string, client?: string, code = "999999") =>
  post(world, "/auth/verify-code", { email, code }, client);

/** How often each status, or the scope of a 429, was the answer. */
async function answers(count: number, ask: (n: number) => Promise<Response>) {
  const found: Record<string, number> = {};
  for (let n = 0; n < count; n += 1) {
    const response = await ask(n);
    const scope = response.status === 429 ? (await problemOf(response))["scope"] : response.status;
    found[String(scope)] = (found[String(scope)] ?? 0) + 1;
  }
  return found;
}

/** The n-th /64 of a /56, and of a /48. */
const ofLine = (n: number) => `2001:db8:1:${(0x200 + n).toString(16)}::1`;
const ofSite = (n: number) => `2001:db8:1:${(n << 8).toString(16)}::1`;

describe.each(signInEngines())("networks on %s", (_, open) => {
  test.each([
    ["the /56 of an IPv6 client has twice its budget", ofLine, 2],
    ["a /48 has ten times its budget", ofSite, 10],
    ["the /24 of an IPv4 client has ten times its budget", (n: number) => `192.0.2.${n}`, 10],
  ])("%s, of codes and of wrong codes", async (_name, client, times) => {
    await using world = await open(
      few({ codesPerClient: budget(2), attemptsPerClient: budget(2) }),
    );
    const asked = await answers(30, (n) => request(world, `a${n}@x.org`, client(n)));
    expect(asked).toEqual({ 200: 2 * times, "codes-per-network": 30 - 2 * times });
    const entered = await answers(30, (n) => enter(world, `b${n}@x.org`, client(n)));
    expect(entered).toEqual({ 401: 2 * times, "attempts-per-network": 30 - 2 * times });
    expect((await request(world, "c@x.org", "198.51.100.1")).status).toBe(200);
  });

  test("the log names the network that has exhausted its budget, and masks a mailbox", async () => {
    await using world = await open(few({ codesPerClient: budget(1), codesPerMailbox: budget(1) }));
    for (let n = 0; n < 4; n += 1) await request(world, `a${n}@x.org`, ofLine(n));
    for (let n = 0; n < 2; n += 1) await request(world, `ana+${n}@gmail.com`, `192.0.${n}.1`);
    const lines = world.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const warned = lines.filter(({ msg }) => msg === "Rate limit exceeded");
    expect(warned).toMatchObject([
      { scope: "codes-per-network", client: "2001:db8:1:200::/56", quota: 2 },
      { scope: "codes-per-mailbox", email: "a***@gmail.com", quota: 1 },
    ]);
  });
});

describe.each(signInEngines())("what is refused, on %s", (_, open) => {
  test("by the address costs no other budget anything", async () => {
    await using world = await open(few({ codesPerClient: budget(7), codesGlobal: budget(10) }));
    const one = await answers(60, () => request(world, "a@x.org"));
    expect(one).toEqual({ 200: 6, "repeats-per-code": 54 });
    expect((await request(world, "b@x.org")).status).toBe(200);
    expect(await problemOf(await request(world, "c@x.org"))).toMatchObject({ status: 429 });
  });

  test("because the address is locked costs no other budget anything", async () => {
    await using world = await open(
      few({ attemptsPerClient: budget(6), attemptsGlobal: budget(8) }),
    );
    const one = await answers(60, () => enter(world, "a@x.org"));
    expect(one).toEqual({ 401: 5, "attempts-per-email": 55 });
    expect((await enter(world, "b@x.org")).status).toBe(401);
    expect(await problemOf(await enter(world, "c@x.org"))).toMatchObject({ status: 429 });
  });

  /** Every budget, by the policy that makes it the one that refuses. */
  const ofCodes = [
    ["codesPerClient", "codes-per-client"],
    ["codesPerMailbox", "codes-per-mailbox"],
    ["codesPerNetworkAndMailbox", "codes-per-network-and-mailbox"],
    ["codesGlobal", "codes-global"],
  ] as const;
  const ofAttempts = [
    ["attemptsPerClient", "attempts-per-client"],
    ["attemptsPerNetworkAndMailbox", "attempts-per-network-and-mailbox"],
    ["attemptsGlobal", "attempts-global"],
  ] as const;
  type Refuser = (typeof ofCodes | typeof ofAttempts)[number];
  const pairs = (all: readonly Refuser[]) =>
    all.flatMap((one) =>
      all.filter((other) => other !== one).map((other) => [...one, ...other] as const),
    );

  for (const [limits, ask, status] of [
    [ofCodes, request, 200],
    [ofAttempts, enter, 401],
  ] as const) {
    test.each(pairs(limits))(
      "by %s (%s) costs %s (%s) nothing",
      async (refuser, scope, other, otherScope) => {
        await using world = await open(few({ [refuser]: budget(1) }));
        const refused = await answers(9, (n) => ask(world, `a+${n}@x.org`));
        expect(refused).toEqual({ [status]: 1, [scope]: 8 });
        const later = world.restart(few({ [other]: budget(2) }));
        const left = await answers(3, (n) => ask(later, `a+later${n}@x.org`));
        expect(left).toEqual({ [status]: 1, [otherScope]: 2 });
      },
    );
  }

  test("40 requests at once for one address cost what was answered 200", async () => {
    await using world = await open(few({ codesPerClient: budget(50) }));
    const asked = await Promise.all(Array.from({ length: 40 }, () => request(world, "a@x.org")));
    expect(asked.filter(({ status }) => status === 200)).toHaveLength(6);
    const others = await answers(60, (n) => request(world, `b${n}@x.org`));
    expect(others).toEqual({ 200: 44, "codes-per-client": 16 });
  });
});

describe.each(signInEngines())("a mailbox on %s", (_, open) => {
  const spellings = (n: number) =>
    n % 2 === 0 ? `vic.tim+${n}@gmail.com` : `v.i.ctim+${n}@googlemail.com`;

  test("gets ten mails an hour for all other spellings of its address, whoever asks", async () => {
    await using world = await open();
    const asked = await answers(60, (n) => request(world, spellings(n), `192.0.${n}.1`));
    expect(asked).toEqual({ 200: 10, "codes-per-mailbox": 50 });
    expect(world.publisher.events).toHaveLength(10);
    expect(new Set(world.publisher.events.map(({ recipient }) => recipient)).size).toBe(10);
    const plain = await answers(6, async (n) => {
      await world.clock.advance(minute);
      return request(world, "victim@gmail.com", `192.1.${n}.1`);
    });
    expect(plain).toEqual({ 200: 5, "codes-per-email": 1 });
    await world.clock.advance(hour);
    expect((await request(world, spellings(99))).status).toBe(200);
  });

  test("gets twenty a day through one network", async () => {
    await using world = await open();
    let sent = 0;
    for (let step = 0; step < 24; step += 1) {
      const asked = await answers(12, (n) => request(world, spellings(12 * step + n), ofSite(n)));
      sent += asked[200] ?? 0;
      await world.clock.advance(hour - 1);
    }
    expect(sent).toBe(20);
    expect((await request(world, spellings(0), "192.0.2.1")).status).toBe(200);
  });

  test("is counted for codes of every purpose", async () => {
    await using world = await open(few({ codesPerMailbox: budget(3) }));
    const { token } = await world.signIn("mallory@x.org");
    const change = (n: number) =>
      world.request("/users/me/email", { method: "POST", token, body: { email: spellings(n) } });
    expect(await answers(5, change)).toEqual({ 200: 3, "codes-per-mailbox": 2 });
  });

  test("is not charged for the same mail again, once it is charged for it", async () => {
    await using world = await open(few({ codesPerMailbox: budget(2) }));
    expect(await answers(6, () => request(world, "ana+1@x.org"))).toEqual({ 200: 6 });
    expect((await request(world, "ana+2@x.org")).status).toBe(200);
    expect((await request(world, "ana+3@x.org")).status).toBe(429);
  });

  test("is charged for a mail that goes out after nobody took it", async () => {
    await using world = await open(few({ codesPerMailbox: budget(1) }));
    world.publisher.unavailable = true;
    expect(await answers(3, () => request(world, "ana+1@x.org"))).toEqual({ 503: 3 });
    world.publisher.unavailable = false;
    expect((await request(world, "ana+1@x.org")).status).toBe(200);
    expect(await answers(1, () => request(world, "ana+2@x.org"))).toEqual({
      "codes-per-mailbox": 1,
    });
  });

  test("stays two accounts when it has two spellings", async () => {
    await using world = await open();
    const one = await world.signIn("vic.tim@gmail.com");
    const other = await world.signIn("victim+2@gmail.com");
    expect(one.user["id"]).not.toBe(other.user["id"]);
    expect(other.user["email"]).toBe("victim+2@gmail.com");
  });
});

describe.each(signInEngines())("a right code on %s", (_, open) => {
  /** All budgets of wrong codes that others share with this client are exhausted. */
  async function exhausted(world: SignInWorld): Promise<void> {
    for (let n = 0; n < 40; n += 1) await enter(world, `x${n}@x.org`, `198.51.${n}.1`);
    for (let n = 0; n < 40; n += 1) await enter(world, `y${n}@x.org`, ofLine(n % 4));
    expect((await enter(world, "z@x.org", "203.0.113.1")).status).toBe(429);
  }
  const tight = few({ attemptsPerClient: budget(2), attemptsGlobal: budget(20) });

  test("is refused by no shared budget where it was requested, before or after", async () => {
    await using world = await open(tight);
    await request(world, "before@x.org", ofLine(1));
    const { code } = world.publisher;
    await exhausted(world);
    expect((await enter(world, "before@x.org", ofLine(2), code)).status).toBe(200);
    await request(world, "after@x.org", ofLine(3));
    const after = await enter(world, "after@x.org", ofLine(3), world.publisher.code);
    expect(after.status).toBe(200);
  });

  test("after a wrong one needs a new code while the shared budgets are exhausted", async () => {
    await using world = await open(tight);
    await request(world, "a@x.org", ofLine(1));
    await exhausted(world);
    expect((await enter(world, "a@x.org", ofLine(1))).status).toBe(401);
    const { code } = world.publisher;
    expect((await enter(world, "a@x.org", ofLine(1), code)).status).toBe(429);
    await world.clock.advance(minute);
    await request(world, "a@x.org", ofLine(1));
    expect((await enter(world, "a@x.org", ofLine(1), world.publisher.code)).status).toBe(200);
  });

  test("is accepted from the reserve, from a network that has entered no wrong one", async () => {
    await using world = await open(few({ attemptsGlobal: budget(20) }));
    await request(world, "a@x.org", "203.0.113.1");
    const { code } = world.publisher;
    const flood = await answers(30, (n) => enter(world, `x${n}@x.org`, ofSite(n)));
    expect(flood).toEqual({ 401: 15, "attempts-global": 15 });
    expect((await enter(world, "a@x.org", "198.51.100.1", code)).status).toBe(200);
  });

  test("costs nothing, earned or not", async () => {
    await using world = await open(tight);
    for (let n = 0; n < 30; n += 1) await world.signIn(`a${n}@x.org`);
    expect(await answers(3, (n) => enter(world, `b${n}@x.org`))).toEqual({
      401: 2,
      "attempts-per-client": 1,
    });
  });

  test("is refused by its own network's ten wrong ones a day, until a code is requested there", async () => {
    await using world = await open();
    for (let round = 0; round < 2; round += 1) {
      expect(await answers(5, () => enter(world, "a@x.org"))).toEqual({ 401: 5 });
      await world.clock.advance(30 * minute);
    }
    const refused = await problemOf(await enter(world, "a@x.org"));
    expect(refused).toMatchObject({
      status: 429,
      code: "too_many_attempts",
      scope: "attempts-per-network-and-mailbox",
      detail: "Too many wrong codes were entered; request a new code, or try again in 23 hours.",
    });
    await request(world, "a@x.org");
    expect((await enter(world, "a@x.org", undefined, world.publisher.code)).status).toBe(200);
  });
});
