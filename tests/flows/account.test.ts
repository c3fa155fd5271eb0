import { describe, expect, test } from "bun:test";
import type { User } from "../../src/auth/users/user-store.ts";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { problemOf, signInEngines } from "../support/sign-in-world.ts";

const email = "test@example.com";
const newEmail = "new@example.org";

const call = (world: SignInWorld, token: string, method: string, path: string, body?: unknown) =>
  world.request(path, { method, token, ...(body === undefined ? {} : { body }) });
const meOf = async (world: SignInWorld, token: string) =>
  (await (await call(world, token, "GET", "/users/me")).json()) as Record<string, unknown>;
const otherThan = (code: string) => (code === "999999" ? "999998" : "999999");

describe.each(signInEngines())("usernames on %s", (_, open) => {
  test("are chosen and changed", async () => {
    await using world = await open();
    const { token, user } = await world.signIn(email);
    expect(user["username"]).toBeNull();
    for (const username of ["tess", "Tess", "tess.2"]) {
      const answer = await call(world, token, "PATCH", "/users/me", { username });
      expect(await answer.json()).toEqual({ ...user, username });
    }
    expect(await meOf(world, token)).toEqual({ ...user, username: "tess.2" });
  });

  test("of somebody else are a 409 that names the field", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: "ana@example.com", username: "Ana" });
    const { token } = await world.signIn(email);
    const answer = await call(world, token, "PATCH", "/users/me", { username: "aNA" });
    expect(await problemOf(answer)).toMatchObject({
      status: 409,
      code: "username_taken",
      errors: [{ field: "username", message: "is taken" }],
    });
  });
});

describe.each(signInEngines())("a change of address on %s", (_, open) => {
  test("is confirmed by a code at the new one, and the session stays", async () => {
    await using world = await open();
    const { token, user } = await world.signIn(email);
    const asked = await call(world, token, "POST", "/users/me/email", {
      email: " NEW@example.org",
    });
    expect(await asked.json()).toEqual({
      message: "verification code sent to your email",
      current_code_required: false,
    });
    const mail = world.publisher.events.at(-1);
    expect(mail).toMatchObject({ recipient: newEmail, data: { purpose: "change_email" } });
    expect(await meOf(world, token)).toMatchObject({ email });
    const body = { email: newEmail, code: world.publisher.code };
    const changed = await call(world, token, "POST", "/users/me/email/verify", body);
    expect(await changed.json()).toEqual({ ...user, email: newEmail });
    expect(await meOf(world, token)).toMatchObject({ id: user["id"], email: newEmail });
    expect((await world.signIn(newEmail)).user["id"]).toBe(user["id"]);
    expect((await world.signIn(email)).user["id"]).not.toBe(user["id"]);
  });

  test("to an address of somebody else is revealed only with the code", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: newEmail, username: undefined });
    const { token } = await world.signIn(email);
    const asked = await call(world, token, "POST", "/users/me/email", { email: newEmail });
    expect(asked.status).toBe(200);
    const { code } = world.publisher;
    const enter = (entered: string) =>
      call(world, token, "POST", "/users/me/email/verify", { email: newEmail, code: entered });
    expect(await problemOf(await enter(otherThan(code)))).toMatchObject({
      status: 403,
      code: "confirmation_invalid",
    });
    expect(await problemOf(await enter(code))).toMatchObject({
      status: 409,
      code: "email_taken",
      errors: [{ field: "email" }],
    });
    expect(await meOf(world, token)).toMatchObject({ email });
  });

  test("to one's own is a 409, and no mail", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    const mails = world.publisher.events.length;
    const answer = await call(world, token, "POST", "/users/me/email", { email });
    expect(await problemOf(answer)).toMatchObject({ code: "email_unchanged", status: 409 });
    expect(world.publisher.events).toHaveLength(mails);
  });

  test("takes no code of another purpose or address", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    await world.post("/auth/request-code", { email: newEmail });
    const signInCode = world.publisher.code;
    await call(world, token, "POST", "/users/me/email", { email: "third@example.org" });
    for (const code of [signInCode, world.publisher.code]) {
      const body = { email: newEmail, code };
      const answer = await call(world, token, "POST", "/users/me/email/verify", body);
      expect(answer.status).toBe(403);
    }
    const verify = { email: newEmail, code: world.publisher.code };
    expect((await world.post("/auth/verify-code", verify)).status).toBe(401);
  });

  test("locks after five wrong codes, like signing in", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    await call(world, token, "POST", "/users/me/email", { email: newEmail });
    const { code } = world.publisher;
    const enter = (entered: string) =>
      call(world, token, "POST", "/users/me/email/verify", { email: newEmail, code: entered });
    for (let wrong = 0; wrong < 5; wrong += 1) await enter(otherThan(code));
    expect(await problemOf(await enter(code))).toMatchObject({
      status: 429,
      code: "too_many_attempts",
      scope: "attempts-per-email",
    });
  });
});

describe.each(signInEngines())("deleting an account on %s", (_, open) => {
  async function askDeletion(world: SignInWorld, token: string): Promise<string> {
    const asked = await call(world, token, "POST", "/users/me/delete-code");
    expect(asked.status).toBe(200);
    const mail = world.publisher.events.at(-1);
    expect(mail).toMatchObject({ recipient: email, data: { purpose: "delete_account" } });
    return world.publisher.code;
  }

  test("takes the code, and leaves no user, session or code", async () => {
    const told: User[] = [];
    await using world = await open({ onUserDeleted: [async (user) => void told.push(user)] });
    const { token: other } = await world.signIn(email);
    await world.clock.advance(60_000);
    const { token, user } = await world.signIn(email);
    await world.clock.advance(60_000);
    await world.post("/auth/request-code", { email });
    const signInCode = world.publisher.code;
    const code = await askDeletion(world, token);
    const wrong = await call(world, token, "POST", "/users/me/delete", { code: otherThan(code) });
    expect(await problemOf(wrong)).toMatchObject({ status: 403, code: "confirmation_invalid" });
    const gone = await call(world, token, "POST", "/users/me/delete", { code });
    expect(gone.status).toBe(204);
    expect(gone.headers.get("Set-Cookie")).toContain("session_id=; Max-Age=0");
    expect(world.publisher.events.at(-1)).toMatchObject({
      eventType: "account_deleted",
      recipient: email,
      data: { deleted_at: "2026-01-01T00:02:00.000Z" },
    });
    expect(told.map(({ id }) => id)).toEqual([String(user["id"])]);
    expect(await world.stores.users.findByEmail(email)).toBeUndefined();
    expect(await world.stores.sessions.list(String(user["id"]))).toEqual([]);
    for (const each of [token, other]) {
      expect((await call(world, each, "GET", "/users/me")).status).toBe(401);
    }
    expect((await world.post("/auth/verify-code", { email, code: signInCode })).status).toBe(401);
    await world.clock.advance(60_000);
    expect((await world.signIn(email)).user["id"]).not.toBe(user["id"]);
  });

  test("that met an unavailable store is finished by trying again with the same code", async () => {
    let away = true;
    const forget = async () => {
      if (away) throw new InstantError(coreErrors.postgresUnavailable);
    };
    await using world = await open({ onUserDeleted: [forget] });
    const { token } = await world.signIn(email);
    const code = await askDeletion(world, token);
    const failed = await call(world, token, "POST", "/users/me/delete", { code });
    expect(failed.headers.get("Retry-After")).toBe("5");
    expect(failed.status).toBe(503);
    expect(await meOf(world, token)).toMatchObject({ email });
    away = false;
    expect((await call(world, token, "POST", "/users/me/delete", { code })).status).toBe(204);
    expect(await world.stores.users.findByEmail(email)).toBeUndefined();
  });

  test("does not give new tries or codes", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    const code = await askDeletion(world, token);
    await world.post("/auth/verify-code", { email, code: otherThan(code) });
    await call(world, token, "POST", "/users/me/delete", { code });
    const statuses: number[] = [];
    for (let entry = 0; entry < 5; entry += 1) {
      const answer = await world.post("/auth/verify-code", { email, code: otherThan(code) });
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 429]);
  });
});
