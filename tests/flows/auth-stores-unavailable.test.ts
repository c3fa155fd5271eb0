import { describe, expect, test } from "bun:test";
import { authOperations } from "../../src/auth/app.ts";
import type { Operation } from "../../src/core/openapi/create-document.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import { openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, openServerWorld, problemOf } from "../support/sign-in-world.ts";

const redisUrl = findEngine("redis") ?? "";
const postgresUrl = findEngine("postgres") ?? "";
const email = "test@example.com";

/** How long anything may take to say that a store is unavailable: 2 s, and some for a busy machine. */
const unavailableMsMax = 2_500;

/** The same engine, by way of the proxy. */
function through(url: string, proxy: StallableProxy): string {
  return url.replace(new URL(url).host, `127.0.0.1:${proxy.port}`);
}

/** A 503 problem in time, with `Retry-After`. */
async function expectUnavailable(answer: Promise<Response>, code: string): Promise<void> {
  const startedAt = performance.now();
  const response = await answer;
  expect(performance.now() - startedAt).toBeLessThan(unavailableMsMax);
  expect(response.headers.get("Retry-After")).toBe("5");
  expect(await problemOf(response)).toMatchObject({ status: 503, code });
}

const requestCode = (world: SignInWorld) => world.post("/auth/request-code", { email });
const verifyCode = (world: SignInWorld, code: string) =>
  world.post("/auth/verify-code", { email, code });

async function healthOf(world: SignInWorld) {
  const startedAt = performance.now();
  const response = await world.app.request("/health");
  expect(performance.now() - startedAt).toBeLessThan(unavailableMsMax);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("health on the embedded engines says so", async () => {
  await using world = await openEmbeddedWorld();
  expect(await healthOf(world)).toEqual({
    status: 200,
    body: {
      status: "healthy",
      service: "auth-service",
      codes: "embedded",
      limits: "embedded",
      sessions: "embedded",
      users: "embedded",
      timestamp: "2026-01-01T00:00:00.000Z",
    },
  });
  expect((await world.app.request("/livez")).status).toBe(200);
  expect((await world.app.request("/readyz")).status).toBe(200);
});

describe.skipIf(redisUrl === "" || postgresUrl === "")("stores that become unavailable", () => {
  test("Redis silent: 503 within 2 s, unhealthy, and all is well when it is back", async () => {
    await using proxy = new StallableProxy(new URL(redisUrl).host);
    const redis = through(redisUrl, proxy);
    await using world = await openServerWorld({ redis, postgres: postgresUrl });
    expect((await requestCode(world)).status).toBe(200);
    proxy.stall();
    await expectUnavailable(requestCode(world), "redis_unavailable");
    await expectUnavailable(verifyCode(world, "123456"), "redis_unavailable");
    const me = { headers: { Authorization: `Bearer ${"a".repeat(43)}` } };
    await expectUnavailable(
      Promise.resolve(world.app.request("/auth/me", me)),
      "redis_unavailable",
    );
    const { status, body } = await healthOf(world);
    expect({ status, ...body }).toMatchObject({
      status: "unhealthy",
      codes: "disconnected",
      limits: "disconnected",
      sessions: "disconnected",
      users: "connected",
    });
    expect((await world.app.request("/readyz")).status).toBe(503);
    expect((await world.app.request("/livez")).status).toBe(200);
    proxy.resume();
    await eventually("Redis is found again", async () => (await healthOf(world)).status === 200);
    expect((await verifyCode(world, world.publisher.code)).status).toBe(200);
  });

  test("Postgres silent: 503 within 2 s, and the code is not used up", async () => {
    await using proxy = new StallableProxy(new URL(postgresUrl).host);
    const postgres = through(postgresUrl, proxy);
    await using world = await openServerWorld({ redis: redisUrl, postgres });
    await requestCode(world);
    const { code } = world.publisher;
    proxy.stall();
    await expectUnavailable(verifyCode(world, code), "postgres_unavailable");
    const named = world.post("/auth/verify-code", { email, code, username: "tess" });
    await expectUnavailable(named, "postgres_unavailable");
    expect((await healthOf(world)).body).toMatchObject({
      status: "unhealthy",
      users: "disconnected",
    });
    expect((await requestCode(world)).status).toBe(200); // it asks no user
    proxy.resume();
    await eventually("Postgres is found again", async () => (await healthOf(world)).status === 200);
    expect((await verifyCode(world, code)).status).toBe(200);
  });
});

/** A token that was not signed is refused without a store. */
const calls = authOperations.filter(
  ({ group, id }) => group !== "Health" && id !== "undoEmailChange",
);
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

test.skipIf(redisUrl === "" || postgresUrl === "")(
  "a session that was checked before is checked without Postgres",
  async () => {
    await using proxy = new StallableProxy(new URL(postgresUrl).host);
    const postgres = through(postgresUrl, proxy);
    await using world = await openServerWorld({ redis: redisUrl, postgres });
    const { token } = await world.signIn(email);
    const check = async () => (await world.request("/auth/session", { token })).status;
    expect(await check()).toBe(200);
    proxy.cut();
    expect(await check()).toBe(200);
    await world.stores.sessions.revoke(token);
    expect(await check()).toBe(401);
    proxy.resume();
    await eventually("Postgres is found again", async () => (await healthOf(world)).status === 200);
  },
);

async function inTime(asked: Promise<Response>): Promise<Response> {
  const startedAt = performance.now();
  const answer = await asked;
  expect(performance.now() - startedAt).toBeLessThan(unavailableMsMax);
  return answer;
}

async function expectUnavailablePage(asked: Promise<Response>): Promise<void> {
  const answer = await inTime(asked);
  expect(answer.status).toBe(503);
  expect(answer.headers.get("Retry-After")).toBe("5");
  expect(answer.headers.get("Content-Type")).toStartWith("text/html");
  expect(await answer.text()).toContain("Back in a moment");
}

describe.skipIf(redisUrl === "" || postgresUrl === "")(
  "the pages, while a store is unavailable",
  () => {
    test("Redis: say so within 2 s, keep what was typed, and work once it is back", async () => {
      await using proxy = new StallableProxy(new URL(redisUrl).host);
      const redis = through(redisUrl, proxy);
      await using world = await openServerWorld({ redis, postgres: postgresUrl });
      const [here, newcomer] = [openPageClient(world), openPageClient(world)];
      await here.signIn("here@example.com");
      proxy.stall();
      for (const path of ["/", "/account", "/account/delete"])
        await expectUnavailablePage(here.get(path));
      const asked = await inTime(newcomer.post("/sign-in", { email }));
      const page = await newcomer.follow(asked);
      expect(page).toContain("Something on our side is unavailable. Try again in 5 seconds.");
      expect(page).toContain(`value="${email}"`);
      proxy.resume();
      await eventually("the account is there again", async () => {
        return (await here.get("/account")).status === 200;
      });
      await newcomer.signIn(email);
    });

    test("Postgres: say so within 2 s, and the code is not used up", async () => {
      await using proxy = new StallableProxy(new URL(postgresUrl).host);
      const postgres = through(postgresUrl, proxy);
      await using world = await openServerWorld({ redis: redisUrl, postgres });
      const [here, newcomer] = [openPageClient(world), openPageClient(world)];
      await here.signIn("here@example.com");
      await newcomer.post("/sign-in", { email });
      const { code } = world.publisher;
      proxy.stall();
      await expectUnavailablePage(here.get("/account"));
      const entered = await inTime(newcomer.post("/sign-in/code", { code }));
      expect(await newcomer.follow(entered)).toContain("Something on our side is unavailable.");
      proxy.resume();
      await eventually("the account is there again", async () => {
        return (await here.get("/account")).status === 200;
      });
      const again = await newcomer.post("/sign-in/code", { code });
      expect(again.headers.get("Location")).toBe("/account");
    });
  },
);
