import { describe, expect, test } from "bun:test";
import { limitPolicyDefault } from "../../support/settings.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { problemOf, signInEngines } from "../support/sign-in-world.ts";

const hour = 3_600_000;
const few = (quota: number) => ({
  limitPolicy: { ...limitPolicyDefault, usernamesPerUser: { quota, windowMs: hour } },
});
const choose = (world: SignInWorld, token: string, username: string) =>
  world.request("/users/me", { method: "PATCH", token, body: { username } });

async function requestedCode(world: SignInWorld, email: string): Promise<string> {
  await world.post("/auth/request-code", { email });
  return world.publisher.code;
}

describe.each(signInEngines())("usernames on %s", (_, open) => {
  test("of a user who asks for many, ten an hour are answered, free or taken", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: "ana@x.org", username: "ana" });
    const { token } = await world.signIn("eve@x.org");
    const statuses: number[] = [];
    for (let n = 0; n < 12; n += 1) {
      const response = await choose(world, token, n % 2 === 0 ? "ana" : `eve${n}`);
      statuses.push(response.status);
    }
    expect(statuses).toEqual([...Array.from({ length: 5 }, () => [409, 200]).flat(), 429, 429]);
    const refused = await choose(world, token, "ana");
    expect(refused.headers.get("Retry-After")).toBe("3600");
    expect(await problemOf(refused)).toMatchObject({
      code: "too_many_requests",
      scope: "usernames-per-user",
    });
    await world.clock.advance(hour);
    expect((await choose(world, token, "eve")).status).toBe(200);
  });

  test("a client that has many accounts asks no more than one that enters wrong codes", async () => {
    await using world = await open({
      limitPolicy: { ...limitPolicyDefault, attemptsPerClient: { quota: 3, windowMs: hour } },
    });
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const { token } = await world.signIn(`eve${n}@x.org`);
      statuses.push((await choose(world, token, `eve${n}`)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  test("a right code reveals so many taken ones, then signs in without a username", async () => {
    await using world = await open(few(2));
    await world.stores.users.signIn({ email: "ana@x.org", username: "ana" });
    const code = await requestedCode(world, "eve@x.org");
    const verify = (username: string) =>
      world.post("/auth/verify-code", { email: "eve@x.org", code, username });
    for (let n = 0; n < 2; n += 1) expect((await verify("ana")).status).toBe(409);
    const third = await verify("ana");
    expect(third.status).toBe(200);
    expect(await third.json()).toMatchObject({ user: { username: null } });
  });

  test("a wrong code with a username reveals nothing and costs its address no username", async () => {
    await using world = await open(few(1));
    const code = await requestedCode(world, "eve@x.org");
    const verify = (digits: string) =>
      world.post("/auth/verify-code", { email: "eve@x.org", code: digits, username: "eve" });
    const wrong = code === "999999" ? "999998" : "999999";
    for (let n = 0; n < 3; n += 1) expect((await verify(wrong)).status).toBe(401);
    expect(await (await verify(code)).json()).toMatchObject({ user: { username: "eve" } });
  });

  test("reserved ones are taken: the built-in ones, those of the settings, with dots or without", async () => {
    await using world = await open({ reservedUsernames: ["acme"] });
    const { token } = await world.signIn("eve@x.org");
    for (const username of ["admin", "Support", "ro.ot", "no-reply", "ACME"]) {
      expect(await problemOf(await choose(world, token, username))).toMatchObject({
        status: 409,
        code: "username_taken",
        errors: [{ field: "username", message: "is reserved" }],
      });
    }
    const code = await requestedCode(world, "new@x.org");
    const body = { email: "new@x.org", code, username: "admin" };
    expect((await world.post("/auth/verify-code", body)).status).toBe(409);
    const free = await world.post("/auth/verify-code", { ...body, username: "newt" });
    expect(free.status).toBe(200);
  });

  test("whoever has a reserved one keeps it", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: "ana@x.org", username: "Support" });
    const code = await requestedCode(world, "ana@x.org");
    const body = { email: "ana@x.org", code, username: "support" };
    const response = await world.post("/auth/verify-code", body);
    expect(response.status).toBe(200);
    const { token } = (await response.json()) as { token: string };
    expect((await choose(world, token, "SUPPORT")).status).toBe(200);
  });
});
