import { describe, expect, test } from "bun:test";
import type { LimitPolicy } from "../../src/auth/limits/limits.ts";
import { parseIpNetwork } from "../../src/core/http/client-address.ts";
import { limitPolicyDefault } from "../../support/settings.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { problemOf, signInEngines } from "../support/sign-in-world.ts";

const hour = 3_600_000;
const few = (changes: Partial<LimitPolicy>) => ({
  limitPolicy: { ...limitPolicyDefault, ...changes },
});
const budget = (quota: number) => ({ quota, windowMs: hour });

const request = (world: SignInWorld, email: string, client = "192.0.2.1", headers = {}) =>
  world.request("/auth/request-code", { method: "POST", body: { email }, client, headers });
const enter = (world: SignInWorld, email: string, client = "192.0.2.1", code = "999999") =>
  world.request("/auth/verify-code", { method: "POST", body: { email, code }, client });

async function statuses(count: number, ask: (n: number) => Promise<Response>): Promise<number[]> {
  const found: number[] = [];
  for (let n = 0; n < count; n += 1) found.push((await ask(n)).status);
  return found;
}

describe.each(signInEngines())("limits on %s", (_, open) => {
  test("one client asks for so many codes, for whatever addresses, and no more", async () => {
    await using world = await open(few({ codesPerClient: budget(3) }));
    expect(await statuses(3, (n) => request(world, `a${n}@x.org`))).toEqual([200, 200, 200]);
    await world.clock.advance(hour / 4);
    const spent = await request(world, "a3@x.org");
    expect(spent.headers.get("Retry-After")).toBe("2700");
    expect(spent.headers.get("RateLimit")).toBe('"codes-per-client";r=0;t=2700');
    expect(spent.headers.get("RateLimit-Policy")).toBe('"codes-per-client";q=3;w=3600');
    expect(await problemOf(spent)).toMatchObject({
      status: 429,
      code: "too_many_requests",
      scope: "codes-per-client",
      retryAfterSeconds: 2700,
    });
    expect(world.publisher.events).toHaveLength(3);
    expect((await request(world, "a3@x.org", "192.0.2.2")).status).toBe(200);
    await world.clock.advance((hour * 3) / 4);
    expect((await request(world, "a3@x.org")).status).toBe(200);
  });

  test("all clients together ask for so many codes and no more", async () => {
    await using world = await open(few({ codesGlobal: budget(3) }));
    const ask = (n: number) => request(world, `a${n}@x.org`, `192.0.2.${n}`);
    expect(await statuses(4, ask)).toEqual([200, 200, 200, 429]);
    expect(await problemOf(await ask(9))).toMatchObject({ scope: "codes-global" });
  });

  test("a refused client takes nothing from the global budget", async () => {
    await using world = await open(few({ codesPerClient: budget(1), codesGlobal: budget(2) }));
    const ask = (n: number) => request(world, `a${n}@x.org`);
    expect(await statuses(10, ask)).toEqual([200, ...Array<number>(9).fill(429)]);
    expect((await request(world, "b@x.org", "192.0.2.2")).status).toBe(200);
  });

  test("one client enters so many wrong codes, for whatever addresses, and no more", async () => {
    await using world = await open(few({ attemptsPerClient: budget(3) }));
    expect(await statuses(3, (n) => enter(world, `a${n}@x.org`))).toEqual([401, 401, 401]);
    expect(await problemOf(await enter(world, "a3@x.org"))).toMatchObject({
      status: 429,
      code: "too_many_requests",
      scope: "attempts-per-client",
    });
    expect((await enter(world, "a3@x.org", "192.0.2.2")).status).toBe(401);
  });

  test("all clients together enter so many wrong codes and no more", async () => {
    await using world = await open(few({ attemptsGlobal: budget(3) }));
    const ask = (n: number) => enter(world, `a${n}@x.org`, `192.0.2.${n}`);
    expect(await statuses(4, ask)).toEqual([401, 401, 401, 429]);
    expect(await problemOf(await ask(9))).toMatchObject({ scope: "attempts-global" });
  });

  test("right codes cost nothing", async () => {
    await using world = await open(
      few({ attemptsPerClient: budget(1), attemptsGlobal: budget(1) }),
    );
    for (let n = 0; n < 5; n += 1) await world.signIn(`a${n}@x.org`);
    expect(await statuses(2, () => enter(world, "b@x.org"))).toEqual([401, 429]);
  });

  test("of 50 wrong codes for 50 addresses at once exactly the budget is compared", async () => {
    await using world = await open(few({ attemptsPerClient: budget(7) }));
    const entries = Array.from({ length: 50 }, (_each, n) => enter(world, `a${n}@x.org`));
    const found = (await Promise.all(entries)).map(({ status }) => status);
    expect(found.filter((status) => status === 401)).toHaveLength(7);
    expect(found.filter((status) => status === 429)).toHaveLength(43);
  });

  test("a mail nobody takes costs the client nothing", async () => {
    await using world = await open(few({ codesPerClient: budget(1) }));
    world.publisher.unavailable = true;
    const ask = (n: number) => request(world, `a${n}@x.org`);
    expect(await statuses(5, ask)).toEqual([503, 503, 503, 503, 503]);
    world.publisher.unavailable = false;
    expect(await statuses(2, ask)).toEqual([200, 429]);
  });

  test("all addresses of one IPv6 network are one client", async () => {
    await using world = await open(few({ codesPerClient: budget(2) }));
    const ask = (n: number) => request(world, `a${n}@x.org`, `2001:db8:1:2::${n + 1}`);
    expect(await statuses(3, ask)).toEqual([200, 200, 429]);
    expect((await request(world, "b@x.org", "2001:db8:1:3::1")).status).toBe(200);
  });

  test("behind a proxy of ours each person is a client, and cannot pose as another", async () => {
    const trustedProxies = [parseIpNetwork("10.0.0.0/8") ?? []].flat();
    const boundary = { trustedProxies, corsOrigins: [], publicOrigin: undefined };
    await using world = await open({ ...few({ codesPerClient: budget(1) }), boundary });
    const from = (email: string, hops: string) =>
      request(world, email, "10.0.0.1", { "X-Forwarded-For": hops });
    expect((await from("a@x.org", "192.0.2.1")).status).toBe(200);
    expect((await from("b@x.org", "192.0.2.2")).status).toBe(200);
    expect((await from("c@x.org", "8.8.8.8, 192.0.2.1")).status).toBe(429);
  });

  test("X-Forwarded-For is ignored unless it comes from a proxy of ours", async () => {
    await using world = await open(few({ codesPerClient: budget(1) }));
    const from = (n: number) =>
      request(world, `a${n}@x.org`, "192.0.2.1", { "X-Forwarded-For": `8.8.8.${n}` });
    expect(await statuses(2, from)).toEqual([200, 429]);
  });

  test("codes for other purposes count as well", async () => {
    await using world = await open(few({ codesPerClient: budget(3) }));
    const { token } = await world.signIn("a@x.org");
    const post = (path: string, body?: unknown) =>
      world.request(path, { method: "POST", token, ...(body === undefined ? {} : { body }) });
    expect((await post("/users/me/email", { email: "b@x.org" })).status).toBe(200);
    expect((await post("/users/me/delete-code")).status).toBe(200);
    expect((await post("/users/me/email", { email: "c@x.org" })).status).toBe(429);
  });
});

const email = "test@example.com";

/** The fields of the lines with this phrase, without those that every line has. */
function linesWith(world: SignInWorld, phrase: string): Record<string, unknown>[] {
  const all = world.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return all
    .filter(({ msg }) => msg === phrase)
    .map(({ time: _, service: __, msg: ___, traceId: ____, ...fields }) => fields);
}

describe.each(signInEngines())("the log on %s", (_, open) => {
  test("warns when an address is locked: how long, for what, masked, once", async () => {
    await using world = await open();
    for (let entry = 0; entry < 9; entry += 1) await enter(world, email);
    const line = {
      level: "warn",
      email: "t***@example.com",
      purpose: "sign_in",
      client: "192.0.2.1",
      scope: "attempts-per-email",
    };
    expect(linesWith(world, "Address locked")).toEqual([{ ...line, lockedSeconds: 900 }]);
    await world.clock.advance(hour / 4);
    for (let entry = 0; entry < 9; entry += 1) await enter(world, email);
    expect(linesWith(world, "Address locked")).toHaveLength(2);
    expect(linesWith(world, "Address locked")[1]).toMatchObject({ lockedSeconds: 1800 });
  });

  test("warns once per window when a client has exhausted its budget", async () => {
    await using world = await open({
      limitPolicy: { ...limitPolicyDefault, codesPerClient: budget(2) },
    });
    for (let n = 0; n < 6; n += 1) await request(world, `a${n}@x.org`);
    const line = {
      level: "warn",
      scope: "codes-per-client",
      client: "192.0.2.1",
      quota: 2,
      windowSeconds: 3600,
      retryAfterSeconds: 3600,
    };
    expect(linesWith(world, "Rate limit exceeded")).toEqual([line]);
    for (let n = 0; n < 6; n += 1) await request(world, `b${n}@x.org`, "192.0.2.2");
    expect(linesWith(world, "Rate limit exceeded")).toEqual([
      line,
      { ...line, client: "192.0.2.2" },
    ]);
    await world.clock.advance(hour);
    for (let n = 0; n < 6; n += 1) await request(world, `c${n}@x.org`);
    expect(linesWith(world, "Rate limit exceeded")).toHaveLength(3);
  });

  test("warns once per window when the global budget is exhausted, naming nobody", async () => {
    await using world = await open({
      limitPolicy: { ...limitPolicyDefault, attemptsGlobal: budget(3) },
    });
    for (let n = 0; n < 9; n += 1) await enter(world, `a${n}@x.org`, `192.0.2.${n}`);
    expect(linesWith(world, "Rate limit exceeded")).toEqual([
      {
        level: "warn",
        scope: "attempts-global",
        quota: 3,
        windowSeconds: 3600,
        retryAfterSeconds: 3600,
      },
    ]);
  });
});
