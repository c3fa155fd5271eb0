import { describe, expect, test } from "bun:test";
import { authOperations } from "../../src/auth/docs-routes.ts";
import type { Operation } from "../../src/core/openapi/operation.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openServerWorld } from "../support/sign-in-world.ts";
import { expectUnavailable, through } from "../support/unavailable.ts";

const redisUrl = findEngine("redis") ?? "";
const postgresUrl = findEngine("postgres") ?? "";
const email = "test@example.com";

const calls = authOperations.filter(({ group }) => group !== "Health");
/** Whoever asks for a code is not looked up, so that nobody learns who has an account. */
const userCalls = calls.filter(({ id }) => id !== "requestCode");

/** Each call of the API as its document shows it, of a person who is signed in. */
function ask(world: SignInWorld, token: string, operation: Operation): Promise<Response> {
  const { method, pathParameters = {}, body } = operation;
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    return pathParameters[name]?.example ?? "";
  });
  const sent = body === undefined ? {} : { body: body.example };
  return world.request(path, { method: method.toUpperCase(), token, ...sent });
}

const isMine = async (world: SignInWorld, token: string) =>
  (await world.request("/users/me", { token })).status === 200;

/** What a person may do once everything is back: each call does what it is for. */
async function expectAllWell(world: SignInWorld, token: string): Promise<void> {
  const post = (path: string, body?: object) =>
    world.request(path, { method: "POST", token, ...(body === undefined ? {} : { body }) });
  await eventually("the person is known again", () => isMine(world, token));
  const name = { method: "PATCH", token, body: { username: "tess" } };
  expect((await world.request("/users/me", name)).status).toBe(200);
  expect((await world.request("/auth/sessions", { token })).status).toBe(200);
  expect((await post("/auth/sessions/revoke-others")).status).toBe(200);
  expect((await post("/users/me/email", { email: "new@example.org" })).status).toBe(200);
  const changed = { email: "new@example.org", code: world.publisher.code };
  expect((await post("/users/me/email/verify", changed)).status).toBe(200);
  expect((await post("/users/me/delete-code")).status).toBe(200);
  expect((await post("/users/me/delete", { code: world.publisher.code })).status).toBe(204);
  expect(await isMine(world, token)).toBe(false);
}

const ways = ["stall", "cut"] as const;

describe.skipIf(redisUrl === "" || postgresUrl === "")("accounts and sessions", () => {
  test.each(ways)(
    "Redis gone (%s): every call is a 503 in time, later all is well",
    async (way) => {
      await using proxy = new StallableProxy(new URL(redisUrl).host);
      const redis = through(redisUrl, proxy);
      await using world = await openServerWorld({ redis, postgres: postgresUrl });
      const { token } = await world.signIn(email);
      proxy[way]();
      const asked = calls.map((operation) => ask(world, token, operation));
      await Promise.all(asked.map((answer) => expectUnavailable(answer, "redis_unavailable")));
      proxy.resume();
      await expectAllWell(world, token);
    },
  );

  test.each(ways)("Postgres gone (%s): the same, and nobody is signed out", async (way) => {
    await using proxy = new StallableProxy(new URL(postgresUrl).host);
    const postgres = through(postgresUrl, proxy);
    await using world = await openServerWorld({ redis: redisUrl, postgres });
    const { token } = await world.signIn(email);
    proxy[way]();
    const asked = userCalls.map((operation) => ask(world, token, operation));
    await Promise.all(asked.map((answer) => expectUnavailable(answer, "postgres_unavailable")));
    proxy.resume();
    await expectAllWell(world, token);
  });
});
