import { describe, expect, test } from "bun:test";
import { createHttpApp } from "../../src/core/http/app.ts";
import { silentLog } from "../../src/core/log.ts";
import type { OpenApiDocument } from "../../src/core/openapi/create-document.ts";
import { systemClock } from "../../src/core/time.ts";
import { addBounceRoutes, signReport } from "../../src/email/bounces/bounce-routes.ts";
import { resolveBounces } from "../../src/email/bounces/config.ts";
import { recipientKey } from "../../src/email/event.ts";
import { LoginAttempts } from "../../src/email/login-attempts.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";
import type { RecipientWorld } from "../support/recipient-world.ts";
import { bounceSecret, postmark, recipientEngines } from "../support/recipient-world.ts";
import { problemOf } from "../support/sign-in-world.ts";

const address = "ana@example.com";
const key = recipientKey(address);
const hard = { recipient: "Ana@Example.com", kind: "hard", detail: "550 5.1.1 unknown" };
const login = `Basic ${btoa(`${postmark.user}:${postmark.password}`)}`;

interface Sending {
  readonly secret?: string;
  readonly ageSeconds?: number;
  /** Sent instead of what was signed. */
  readonly sent?: string;
}

function send({ world }: RecipientWorld, body: unknown, how: Sending = {}) {
  const { secret = bounceSecret, ageSeconds = 0 } = how;
  const text = JSON.stringify(body);
  const timestamp = String(Math.floor(world.clock.now() / 1000) - ageSeconds);
  const signature = signReport(secret, timestamp, new TextEncoder().encode(text));
  return world.request("/bounces", {
    method: "POST",
    body: how.sent ?? text,
    headers: { "X-Bounce-Timestamp": timestamp, "X-Bounce-Signature": signature },
  });
}
const sendPostmark = ({ world }: RecipientWorld, body: unknown, Authorization = login) =>
  world.request("/bounces", { method: "POST", body, headers: { Authorization } });
const find = async ({ suppressions }: RecipientWorld) => (await suppressions.find([key])).get(key);

describe.each(recipientEngines())("bounce reports on %s", (_, open) => {
  test("that are signed suppress the address of a hard bounce for a while", async () => {
    await using opened = await open();
    const answer = await send(opened, { bounces: [hard] });
    expect([answer.status, await answer.json()]).toEqual([200, { suppressed: 1 }]);
    const createdAt = opened.world.clock.now();
    expect(await find(opened)).toMatchObject({
      address,
      reason: "bounced",
      note: hard.detail,
      expiresAt: createdAt + 86_400_000,
    });
  });

  test("of a complaint suppress until it is removed; a soft bounce suppresses nothing", async () => {
    await using opened = await open();
    const soft = await send(opened, { bounces: [{ ...hard, kind: "soft" }] });
    expect(await soft.json()).toEqual({ suppressed: 0 });
    expect(await find(opened)).toBeUndefined();
    await send(opened, { bounces: [{ ...hard, kind: "complaint" }] });
    expect(await find(opened)).toMatchObject({ reason: "complained", expiresAt: undefined });
  });

  test.each([
    ["of another secret", { secret: "not the secret, but as long as it" }],
    ["from six minutes ago", { ageSeconds: 360 }],
    ["from six minutes ahead", { ageSeconds: -360 }],
    ["over another body", { sent: JSON.stringify({ bounces: [hard, hard] }) }],
  ])("with a signature %s are not taken", async (_name, how) => {
    await using opened = await open();
    const answer = await send(opened, { bounces: [hard] }, how);
    expect(answer.status).toBe(401);
    expect(await find(opened)).toBeUndefined();
  });

  test("are described where the API is", async () => {
    await using opened = await open();
    const document = (await (
      await opened.world.request("/openapi.json")
    ).json()) as OpenApiDocument;
    const names = document.paths["/bounces"]?.["post"]?.parameters?.map(({ name }) => name);
    expect(names).toEqual(["X-Bounce-Timestamp", "X-Bounce-Signature"]);
    const page = await (await opened.world.request("/docs")).text();
    expect(page).toContain("X-Bounce-Signature: v1=");
  });

  test("without any signature are not taken", async () => {
    await using opened = await open();
    const body = { bounces: [hard] };
    expect((await opened.world.request("/bounces", { method: "POST", body })).status).toBe(401);
  });

  test.each([
    { bounces: [] },
    { bounces: [{ ...hard, recipient: "nobody" }] },
    { bounces: [{ ...hard, kind: "strange" }] },
    { bounces: Array.from({ length: 101 }, () => hard) },
  ])("that do not fit are refused, whoever signed them", async (body) => {
    await using opened = await open();
    expect((await send(opened, body)).status).toBe(422);
    expect(await find(opened)).toBeUndefined();
  });

  test.each([
    ["Bounce", "HardBounce", "bounced"],
    ["Bounce", "BadEmailAddress", "bounced"],
    ["SpamComplaint", "SpamComplaint", "complained"],
    ["Bounce", "SoftBounce", undefined],
    ["Bounce", "Transient", undefined],
  ])("in Postmark's shape: a %s of type %s is %s", async (RecordType, Type, reason) => {
    await using opened = await open();
    const body = { RecordType, Type, TypeCode: 1, ID: 42, Email: address, Description: "unknown" };
    expect((await sendPostmark(opened, body)).status).toBe(200);
    expect((await find(opened))?.reason).toBe(reason as "bounced" | "complained");
  });

  test("in Postmark's shape need the login", async () => {
    await using opened = await open();
    const body = { RecordType: "Bounce", Type: "HardBounce", Email: address };
    const wrong = [`Basic ${btoa("postmark:guess")}`, "Basic ", `Basic ${btoa("postmark")}`, "x"];
    for (const header of wrong) expect((await sendPostmark(opened, body, header)).status).toBe(401);
    expect(await find(opened)).toBeUndefined();
  });

  test("of a client with ten wrong logins are not taken for a while; signed ones and others' are", async () => {
    await using opened = await open();
    const { world } = opened;
    const body = { RecordType: "Bounce", Type: "HardBounce", Email: address };
    const from = (client: string, Authorization: string) =>
      world.request("/bounces", { method: "POST", body, client, headers: { Authorization } });
    const wrong = `Basic ${btoa("postmark:guess")}`;
    for (let tries = 0; tries < 10; tries += 1) {
      expect((await from("203.0.113.7", wrong)).status).toBe(401);
    }
    const refused = await from("203.0.113.7", login);
    expect([refused.status, refused.headers.get("Retry-After")]).toEqual([429, "900"]);
    expect(await problemOf(refused)).toMatchObject({ code: "too_many_reporter_attempts" });
    expect((await send(opened, { bounces: [hard] })).status).toBe(200);
    expect((await from("198.51.100.9", login)).status).toBe(200);
    await world.clock.advance(15 * 60_000);
    expect((await from("203.0.113.7", login)).status).toBe(200);
  });
});

test("one secret does not open the other way, and without any there is no way at all", async () => {
  const unset = { secret: undefined, postmarkUser: undefined, postmarkPassword: undefined };
  expect(resolveBounces(unset)).toBeUndefined();
  await using stack = new AsyncDisposableStack();
  const { suppressions } = await openRecipientStores(undefined, stack);
  const app = createHttpApp({ log: silentLog });
  const reporters = { secret: bounceSecret, postmark: undefined };
  const attempts = new LoginAttempts(systemClock);
  const deps = { suppressions, reporters, attempts, clock: systemClock, log: silentLog };
  addBounceRoutes(app, { ...deps, suppressionMs: 1_000 });
  const headers = { "Content-Type": "application/json", Authorization: login };
  const body = JSON.stringify({ Type: "HardBounce", Email: address });
  expect((await app.request("/bounces", { method: "POST", headers, body })).status).toBe(401);
});
