import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, openServerWorld } from "../support/sign-in-world.ts";
import { expectUnavailable, through, unavailableMsMax } from "../support/unavailable.ts";

const redisUrl = findEngine("redis") ?? "";
const postgresUrl = findEngine("postgres") ?? "";
const email = "test@example.com";

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

describe.skipIf(redisUrl === "" || postgresUrl === "")("engines that go away", () => {
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
