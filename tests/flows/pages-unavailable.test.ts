import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import { openPageClient } from "../support/page-client.ts";
import { openServerWorld } from "../support/sign-in-world.ts";

const redisUrl = findEngine("redis") ?? "";
const postgresUrl = findEngine("postgres") ?? "";
const email = "test@example.com";
const boundMs = 2_500; // 2 s, and something for a busy machine

function through(url: string, proxy: StallableProxy): string {
  return url.replace(new URL(url).host, `127.0.0.1:${proxy.port}`);
}

async function inTime(asked: Promise<Response>): Promise<Response> {
  const startedAt = performance.now();
  const answer = await asked;
  expect(performance.now() - startedAt).toBeLessThan(boundMs);
  return answer;
}

async function expectAway(asked: Promise<Response>): Promise<void> {
  const answer = await inTime(asked);
  expect(answer.status).toBe(503);
  expect(answer.headers.get("Retry-After")).toBe("5");
  expect(answer.headers.get("Content-Type")).toStartWith("text/html");
  expect(await answer.text()).toContain("Back in a moment");
}

describe.skipIf(redisUrl === "" || postgresUrl === "")("the pages, while a store is away", () => {
  test("Redis: say so within 2 s, keep what was typed, and work once it is back", async () => {
    await using proxy = new StallableProxy(new URL(redisUrl).host);
    const redis = through(redisUrl, proxy);
    await using world = await openServerWorld({ redis, postgres: postgresUrl });
    const [here, newcomer] = [openPageClient(world), openPageClient(world)];
    await here.signIn("here@example.com");
    proxy.stall();
    for (const path of ["/", "/account", "/account/delete"]) await expectAway(here.get(path));
    const asked = await inTime(newcomer.post("/sign-in", { email }));
    const page = await newcomer.follow(asked);
    expect(page).toContain("Something of ours is away. Try again in 5 seconds.");
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
    await expectAway(here.get("/account"));
    const entered = await inTime(newcomer.post("/sign-in/code", { code }));
    expect(await newcomer.follow(entered)).toContain("Something of ours is away.");
    proxy.resume();
    await eventually("the account is there again", async () => {
      return (await here.get("/account")).status === 200;
    });
    const again = await newcomer.post("/sign-in/code", { code });
    expect(again.headers.get("Location")).toBe("/account");
  });
});
