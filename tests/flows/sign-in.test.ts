import { describe, expect, test } from "bun:test";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import { encodeEmailEvent } from "../../src/email/event.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines, testSecret } from "../support/sign-in-world.ts";

const minute = 60_000;
const email = "test@example.com";
const requestCode = (world: SignInWorld, address = email) =>
  world.post("/auth/request-code", { email: address });
const verifyCode = (world: SignInWorld, code: string, more: object = {}) =>
  world.post("/auth/verify-code", { email, code, ...more });

async function signIn(world: SignInWorld, more: object = {}) {
  await requestCode(world);
  const response = await verifyCode(world, world.publisher.code, more);
  expect(response.status).toBe(200);
  return (await response.json()) as { token: string; user: Record<string, unknown> };
}

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

describe.each(signInEngines())("sign-in on %s", (_, open) => {
  test("asking for a code answers as in the guide and sends one event", async () => {
    await using world = await open();
    const response = await requestCode(world);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ message: "verification code sent to your email" });
    const now = world.clock.now();
    expect(world.publisher.events).toEqual([
      {
        messageId: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown as string,
        eventType: "verification_code",
        timestamp: now,
        recipient: email,
        data: {
          code: expect.stringMatching(/^\d{6}$/) as unknown as string,
          expires_in: "10m",
          purpose: "sign_in",
        },
        expiresAt: now + 10 * minute,
      },
    ]);
  });

  test("the code of the mail signs in: token, user, cookies", async () => {
    await using world = await open();
    await requestCode(world);
    const response = await verifyCode(world, world.publisher.code, { username: "Tess" });
    expect(response.status).toBe(200);
    const { token, user } = (await response.json()) as Record<string, unknown>;
    expect(user).toEqual({
      id: expect.any(String) as unknown as string,
      email,
      username: "Tess",
      created_at: "2026-01-01T00:00:00.000Z",
      last_sign_in_at: "2026-01-01T00:00:00.000Z",
    });
    expect(response.headers.getSetCookie()).toEqual([
      `session_id=${token}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax`,
      expect.stringMatching(
        /^known_device=[\w-]{22}\.\w+\.[\w-]{43}; Max-Age=15552000; Path=\/; HttpOnly; SameSite=Lax$/,
      ) as unknown as string,
    ]);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
  });

  test("in production the cookie is for https alone", async () => {
    await using world = await open();
    const production = world.restart({ secureCookies: true });
    await requestCode(production);
    const response = await verifyCode(production, production.publisher.code);
    expect(response.headers.get("Set-Cookie")).toContain("; Secure");
  });

  test("a session is the user's by cookie and by Bearer, until the logout", async () => {
    await using world = await open();
    const { token, user } = await signIn(world);
    const cookie = { headers: { Cookie: `session_id=${token}` } };
    for (const credential of [cookie, bearer(token)]) {
      const me = await world.app.request("/auth/me", credential);
      expect(await me.json()).toEqual(user);
    }
    const headers = { ...cookie.headers, Origin: "http://localhost", Host: "localhost" };
    const logout = await world.app.request("/auth/logout", { method: "POST", headers });
    expect(logout.status).toBe(204);
    expect(logout.headers.get("Set-Cookie")).toContain("session_id=; Max-Age=0; Path=/");
    for (const credential of [cookie, bearer(token)]) {
      const me = await world.app.request("/auth/me", credential);
      expect(me.status).toBe(401);
      expect(await me.json()).toMatchObject({ code: "unauthenticated" });
    }
  });

  test("nobody's token, or none, is nobody", async () => {
    await using world = await open();
    for (const token of ["", "x", "a".repeat(43), "a".repeat(5000)]) {
      expect((await world.app.request("/auth/me", bearer(token))).status).toBe(401);
    }
    expect((await world.app.request("/auth/logout", { method: "POST" })).status).toBe(204);
  });

  test("a later sign-in is the same user's", async () => {
    await using world = await open();
    const first = await signIn(world);
    await world.clock.advance(2 * minute);
    const second = await signIn(world);
    expect(second.user["id"]).toBe(first.user["id"]);
    expect(second.user["last_sign_in_at"]).toBe("2026-01-01T00:02:00.000Z");
    expect(second.token).not.toBe(first.token);
  });

  test("a code works once", async () => {
    await using world = await open();
    await signIn(world);
    const again = await verifyCode(world, world.publisher.code);
    expect(again.status).toBe(401);
    expect(await again.json()).toMatchObject({ code: "code_invalid" });
  });

  test("of 20 right entries at once one signs in", async () => {
    await using world = await open();
    await requestCode(world);
    const { code } = world.publisher;
    const entries = Array.from({ length: 20 }, () => verifyCode(world, code));
    const statuses = (await Promise.all(entries)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });

  test("the same address written differently is one person", async () => {
    await using world = await open();
    await requestCode(world, " TEST@Example.COM ");
    expect(world.publisher.events[0]?.recipient).toBe(email);
    expect((await verifyCode(world, world.publisher.code)).status).toBe(200);
  });

  test("asking again within 60 s publishes the same bytes, later another code", async () => {
    await using world = await open();
    await requestCode(world);
    await world.clock.advance(minute - 1);
    await requestCode(world);
    await world.clock.advance(1);
    await requestCode(world);
    const [first, repeat, later] = world.publisher.events.map((event) =>
      Buffer.from(encodeEmailEvent(event)).toString(),
    );
    expect(repeat).toBe(first ?? "");
    expect(later).not.toBe(first ?? "");
  });

  test("the earlier code is good after a new one was sent", async () => {
    await using world = await open();
    await requestCode(world);
    const { code } = world.publisher;
    await world.clock.advance(minute);
    await requestCode(world);
    expect((await verifyCode(world, code)).status).toBe(200);
    expect((await verifyCode(world, world.publisher.code)).status).toBe(401);
  });

  test("a new AUTH_SECRET keeps the codes of the previous one good", async () => {
    await using world = await open();
    await requestCode(world);
    const rotated = world.restart({ keys: createAuthKeys("n".repeat(32), testSecret) });
    await requestCode(rotated);
    expect(rotated.publisher.events).toEqual(world.publisher.events);
    expect((await verifyCode(rotated, world.publisher.code)).status).toBe(200);
  });

  test("replicas take each other's codes when they know the new secret before it is used", async () => {
    await using world = await open();
    const next = "n".repeat(32);
    const told = world.restart({ keys: createAuthKeys(testSecret, next) });
    const moved = world.restart({ keys: createAuthKeys(next, testSecret) });
    await requestCode(moved);
    expect((await verifyCode(told, moved.publisher.code)).status).toBe(200);
    await world.clock.advance(minute);
    await requestCode(told);
    expect((await verifyCode(moved, told.publisher.code)).status).toBe(200);
  });

  test("a code whose secret is gone is neither repeated nor taken", async () => {
    await using world = await open();
    await requestCode(world);
    const replaced = world.restart({ keys: createAuthKeys("n".repeat(32), undefined) });
    await requestCode(replaced);
    expect(replaced.publisher.events[0]?.messageId).not.toBe(world.publisher.events[0]?.messageId);
    expect((await verifyCode(replaced, world.publisher.code)).status).toBe(401);
    expect((await verifyCode(replaced, replaced.publisher.code)).status).toBe(200);
  });

  test("no code, token or whole address is logged", async () => {
    await using world = await open();
    const { token } = await signIn(world);
    await world.app.request("/auth/me", bearer(token));
    await verifyCode(world, "999999");
    const log = world.lines.join("");
    expect(log).toContain("Verification code requested");
    expect(log).toContain("Signed in");
    for (const secret of [token, world.publisher.code, email, "999999"]) {
      expect(log).not.toContain(secret);
    }
  });
});
