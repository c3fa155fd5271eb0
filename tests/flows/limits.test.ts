import { describe, expect, test } from "bun:test";
import type { LimitPolicy } from "../../src/auth/limits/limits.ts";
import { limitPolicyDefault } from "../../src/auth/limits/limits.ts";
import { parseIpNetwork } from "../../src/core/http/client-address.ts";
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

  test("a client that was refused spends nothing of what all have", async () => {
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

  test("a stranger's X-Forwarded-For is not believed", async () => {
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
