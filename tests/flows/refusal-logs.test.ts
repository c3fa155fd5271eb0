import { describe, expect, test } from "bun:test";
import { limitPolicyDefault } from "../../src/auth/limits/limits.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";

const hour = 3_600_000;
const email = "test@example.com";
const budget = (quota: number) => ({ quota, windowMs: hour });

const request = (world: SignInWorld, address: string, client = "192.0.2.1") =>
  world.request("/auth/request-code", { method: "POST", body: { email: address }, client });
const enter = (world: SignInWorld, address: string, client = "192.0.2.1") => {
  const body = { email: address, code: "999999" };
  return world.request("/auth/verify-code", { method: "POST", body, client });
};

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

  test("warns once a window when a client has spent its budget", async () => {
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

  test("warns once a window when all together have spent theirs, naming nobody", async () => {
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
