import { describe, expect, test } from "bun:test";
import type { UserStore } from "../../src/auth/users/user-store.ts";
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

/** Long enough for a sign-in to be no proof any more of who uses the session. */
const notRecentMs = 10 * 60_000 + 1;

describe.each(signInEngines())("a stolen session on %s", (_, open) => {
  const boundary = {
    trustedProxies: [],
    corsOrigins: [],
    publicOrigin: "https://sign-in.example.com",
  };
  const thief = "thief@example.org";

  /** Signed in, and stolen some time later. */
  async function openStolen(laterMs = notRecentMs) {
    const world = await open({ boundary });
    const { token, user } = await world.signIn(email);
    await world.clock.advance(laterMs);
    return { world, token, user, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
  }

  test("leaves no sign-in behind that was on its way while the address changed hands", async () => {
    await using world = await open({ boundary });
    const { users, sessions } = world.stores;
    const { token, user } = await world.signIn(email);
    const id = String(user["id"]);
    const change = { id, from: email, email: newEmail, undo: undefined };
    const during: UserStore = {
      ...users,
      signIn: async (request) => {
        const outcome = await users.signIn(request);
        await users.setEmail(change);
        await sessions.revokeAll({ userId: id });
        return outcome;
      },
    };
    const late = world.restart({ users: during });
    await late.post("/auth/request-code", { email });
    const body = { email, code: late.publisher.code };
    const answer = await late.post("/auth/verify-code", body);
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([401, []]);
    expect(await sessions.list(id)).toEqual([]);
    expect((await call(world, token, "GET", "/users/me")).status).toBe(401);
  });

  const codesTo = (world: SignInWorld, recipient: string) =>
    world.publisher.events.flatMap((event) =>
      event.eventType === "verification_code" && event.recipient === recipient
        ? [event.data.code]
        : [],
    );
  const askTo = async (world: SignInWorld, token: string, to: string) => {
    const answer = await call(world, token, "POST", "/users/me/email", { email: to });
    return (await answer.json()) as Record<string, unknown>;
  };
  const verify = (world: SignInWorld, token: string, body: object) =>
    call(world, token, "POST", "/users/me/email/verify", body);

  /** Changes the address with all that it takes; returns the token of the link that undoes it. */
  async function changeTo(world: SignInWorld, token: string, to: string): Promise<string> {
    const from = String((await meOf(world, token))["email"]);
    const asked = await askTo(world, token, to);
    const current_code = asked["current_code_required"] ? codesTo(world, from).at(-1) : undefined;
    const body = { email: to, code: codesTo(world, to).at(-1), current_code };
    expect((await verify(world, token, body)).status).toBe(200);
    return undoTokenOf(world, from);
  }

  async function undoTokenOf({ publisher }: SignInWorld, recipient: string): Promise<string> {
    const notice = publisher.events.findLast(
      (event) => event.eventType === "email_change" && event.recipient === recipient,
    );
    const link = notice?.eventType === "email_change" ? notice.data.undo_link : undefined;
    const prefix = "https://sign-in.example.com/account/email/undo/";
    expect(link).toStartWith(prefix);
    return link?.slice(prefix.length) ?? "";
  }

  const undo = (world: SignInWorld, token: string) =>
    world.post("/auth/undo-email-change", { token });

  test("cannot change the address with the thief's own code", async () => {
    await using stolen = await openStolen();
    const { world, token } = stolen;
    expect(await askTo(world, token, thief)).toEqual({
      message: "verification code sent to your email",
      current_code_required: true,
    });
    expect(world.publisher.events.slice(-2)).toMatchObject([
      { recipient: thief, data: { purpose: "change_email" } },
      { recipient: email, data: { purpose: "leave_email" } },
    ]);
    const code = codesTo(world, thief)[0] ?? "";
    const without = await problemOf(await verify(world, token, { email: thief, code }));
    expect(without).toMatchObject({ status: 403, code: "current_code_required" });
    for (const current_code of [code, otherThan(codesTo(world, email).at(-1) ?? "")]) {
      const wrong = await verify(world, token, { email: thief, code, current_code });
      expect(await problemOf(wrong)).toMatchObject({ status: 403, code: "current_code_invalid" });
    }
    expect(await meOf(world, token)).toMatchObject({ email });
  });

  test("changes it with both codes; a mistake in one does not use up the other", async () => {
    await using stolen = await openStolen();
    const { world, token } = stolen;
    await askTo(world, token, newEmail);
    const code = codesTo(world, newEmail)[0] ?? "";
    const current_code = codesTo(world, email).at(-1) ?? "";
    const enter = (codes: object) => verify(world, token, { email: newEmail, ...codes });
    const wrong = { code: otherThan(code), current_code };
    expect(await problemOf(await enter(wrong))).toMatchObject({ code: "confirmation_invalid" });
    const wrongCurrent = { code, current_code: otherThan(current_code) };
    expect(await problemOf(await enter(wrongCurrent))).toMatchObject({
      code: "current_code_invalid",
    });
    expect((await enter({ code, current_code })).status).toBe(200);
    expect((await enter({ code, current_code })).status).toBe(200); // the same change, sent twice
    const notices = world.publisher.events.filter(({ eventType }) => eventType === "email_change");
    expect(new Set(notices.map((notice) => JSON.stringify(notice))).size).toBe(1);
  });

  test("and one of at most ten minutes needs one code", async () => {
    await using stolen = await openStolen(notRecentMs - 1);
    const { world, token } = stolen;
    expect(await askTo(world, token, newEmail)).toMatchObject({ current_code_required: false });
    const code = codesTo(world, newEmail)[0] ?? "";
    expect(codesTo(world, email)).toHaveLength(1);
    await world.clock.advance(1); // too late by now
    const late = await verify(world, token, { email: newEmail, code });
    expect(await problemOf(late)).toMatchObject({ code: "current_code_required" });
    expect(await askTo(world, token, newEmail)).toMatchObject({ current_code_required: true });
    const both = { email: newEmail, code, current_code: codesTo(world, email).at(-1) };
    expect((await verify(world, token, both)).status).toBe(200);
  });

  test("takes no code of another purpose for the current address", async () => {
    await using stolen = await openStolen();
    const { world, token } = stolen;
    await world.post("/auth/request-code", { email });
    const signInCode = world.publisher.code;
    await askTo(world, token, newEmail);
    const code = codesTo(world, newEmail)[0];
    const current_code = codesTo(world, email).at(-1) ?? "";
    const misused = { email: newEmail, code, current_code: signInCode };
    expect((await verify(world, token, misused)).status).toBe(403);
    const signIn = await world.post("/auth/verify-code", { email, code: current_code });
    expect(signIn.status).toBe(401);
  });

  test("a change of address ends all other sessions", async () => {
    await using stolen = await openStolen();
    const { world, token } = stolen;
    const { token: own } = await world.signIn(email);
    await changeTo(world, own, newEmail);
    expect((await call(world, own, "GET", "/users/me")).status).toBe(200);
    expect((await call(world, token, "GET", "/users/me")).status).toBe(401);
    expect((await call(world, token, "GET", "/auth/session")).status).toBe(401);
  });

  test("that changed the address is ended by the link to the old one, once, which restores it", async () => {
    await using stolen = await openStolen(0);
    const { world, token, user } = stolen;
    const link = await changeTo(world, token, thief);
    await world.clock.advance(60_000);
    const { token: second } = await world.signIn(thief);
    await world.clock.advance(72 * 3_600_000 - 60_001);
    expect((await undo(world, link)).status).toBe(204);
    for (const each of [token, second]) {
      expect((await call(world, each, "GET", "/users/me")).status).toBe(401);
    }
    expect((await world.signIn(email)).user["id"]).toBe(user["id"]);
    expect((await world.signIn(thief)).user["id"]).not.toBe(user["id"]);
    expect(await problemOf(await undo(world, link))).toMatchObject({
      status: 410,
      code: "undo_invalid",
    });
    const notices = world.publisher.events.filter(({ eventType }) => eventType === "email_change");
    expect(notices).toMatchObject([
      { recipient: email, data: { new_email: "t***@example.org" } },
      { recipient: thief, data: { new_email: "t***@example.com", undo_link: undefined } },
    ]);
  });

  test("is ended by the link however often the change was sent, whichever copy makes it", async () => {
    await using stolen = await openStolen(0);
    const { world, token, user } = stolen;
    const [entered, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const setEmail: UserStore["setEmail"] = async (change) => {
      entered.resolve();
      await answered.promise;
      return world.stores.users.setEmail(change);
    };
    const slow = world.restart({ users: { ...world.stores.users, setEmail } });
    await askTo(world, token, thief);
    const body = { email: thief, code: codesTo(world, thief).at(-1) };
    const first = verify(slow, token, body);
    await entered.promise;
    expect((await verify(world, token, body)).status).toBe(200);
    answered.resolve();
    expect((await first).status).toBe(200);
    const events = [...world.publisher.events, ...slow.publisher.events];
    const notices = events.filter(({ eventType }) => eventType === "email_change");
    expect(new Set(notices.map((notice) => JSON.stringify(notice))).size).toBe(1);
    expect((await undo(world, await undoTokenOf(world, email))).status).toBe(204);
    expect((await world.signIn(email)).user["id"]).toBe(user["id"]);
  });

  test("is told to the owner also when a store was away before the change was made", async () => {
    await using stolen = await openStolen(0);
    const { world, token } = stolen;
    const setEmail = () => Promise.reject(new InstantError(coreErrors.postgresUnavailable));
    const away = world.restart({ users: { ...world.stores.users, setEmail } });
    await askTo(world, token, thief);
    const body = { email: thief, code: codesTo(world, thief).at(-1) };
    expect((await verify(away, token, body)).status).toBe(503);
    expect((await verify(world, token, body)).status).toBe(200);
    expect((await undo(world, await undoTokenOf(world, email))).status).toBe(204);
  });

  test("a change to the address that the account has already is none, and told to nobody", async () => {
    await using stolen = await openStolen();
    const { world, token, user } = stolen;
    const { token: other } = await world.signIn(newEmail);
    await askTo(world, other, email); // the owner gets this code, and enters it
    const answer = await verify(world, token, { email, code: codesTo(world, email).at(-1) });
    expect(await answer.json()).toMatchObject({ id: user["id"], email });
    const types = world.publisher.events.map(({ eventType }) => eventType);
    expect(types).not.toContain("email_change");
  });

  test("moves preferences back with the address", async () => {
    const moved: { from: string; to: string }[] = [];
    const onEmailChanged = [
      async (change: { from: string; to: string }) => void moved.push(change),
    ];
    await using world = await open({ boundary, onEmailChanged });
    const { token } = await world.signIn(email);
    await undo(world, await changeTo(world, token, thief));
    expect(moved).toEqual([
      { from: email, to: thief },
      { from: thief, to: email },
    ]);
  });

  test("cannot keep the account by changing the address again", async () => {
    await using stolen = await openStolen(0);
    const { world, token, user } = stolen;
    const first = await changeTo(world, token, thief);
    const second = await changeTo(world, token, "thief.two@example.org");
    expect((await undo(world, first)).status).toBe(204);
    expect((await undo(world, second)).status).toBe(410);
    expect((await world.signIn(email)).user["id"]).toBe(user["id"]);
  });

  test("cannot delete the account while the change can be undone", async () => {
    await using stolen = await openStolen(0);
    const { world, token, user } = stolen;
    const link = await changeTo(world, token, thief);
    const refused = await call(world, token, "POST", "/users/me/delete-code");
    expect(refused.headers.get("Retry-After")).toBe(String(72 * 3600));
    expect(await problemOf(refused)).toMatchObject({ status: 409, code: "email_changed_recently" });
    const forced = await call(world, token, "POST", "/users/me/delete", { code: "123456" });
    expect(await problemOf(forced)).toMatchObject({ status: 409, code: "email_changed_recently" });
    expect((await undo(world, link)).status).toBe(204);
    expect((await world.signIn(email)).user["id"]).toBe(user["id"]);
    const { token: own } = await world.signIn(email);
    expect((await call(world, own, "POST", "/users/me/delete-code")).status).toBe(200);
  });

  test("is undone also when the owner has signed in with the old address since", async () => {
    await using stolen = await openStolen(0);
    const { world, token, user } = stolen;
    const link = await changeTo(world, token, thief);
    await world.clock.advance(60_000);
    const { token: fresh, user: other } = await world.signIn(email);
    expect(other["id"]).not.toBe(user["id"]);
    expect(await problemOf(await undo(world, link))).toMatchObject({ code: "email_taken" });
    expect(await meOf(world, fresh)).toMatchObject({ id: other["id"], email });
    await call(world, fresh, "POST", "/users/me/delete-code");
    const { code } = world.publisher;
    expect((await call(world, fresh, "POST", "/users/me/delete", { code })).status).toBe(204);
    expect((await undo(world, link)).status).toBe(204);
    await world.clock.advance(60_000);
    expect((await world.signIn(email)).user["id"]).toBe(user["id"]);
  });

  test("a link does nothing when it is too old, cut off, forged, or of a deleted account", async () => {
    await using stolen = await openStolen(0);
    const { world, token, user } = stolen;
    const link = await changeTo(world, token, newEmail);
    for (const wrong of ["", "x", link.slice(0, -1), `x${link}`, link.replace(".", "..")]) {
      expect((await undo(world, wrong)).status).toBe(410);
    }
    await world.stores.users.delete(String(user["id"]));
    expect((await undo(world, link)).status).toBe(410);
    const { token: next } = await world.signIn(email);
    const late = await changeTo(world, next, thief);
    await world.clock.advance(72 * 3_600_000);
    expect((await undo(world, late)).status).toBe(410);
    expect(await world.stores.users.findByEmail(thief)).toBeDefined();
  });

  test("an unavailable store leaves the link good", async () => {
    await using stolen = await openStolen(0);
    const { world, token } = stolen;
    const link = await changeTo(world, token, thief);
    const revokeAll = () => Promise.reject(new InstantError(coreErrors.redisUnavailable));
    const away = world.restart({ sessions: { ...world.stores.sessions, revokeAll } });
    expect((await undo(away, link)).status).toBe(503);
    expect(await world.stores.users.findByEmail(thief)).toBeDefined();
    expect((await undo(world, link)).status).toBe(204);
  });

  test("cannot delete the account with what it sees", async () => {
    await using stolen = await openStolen();
    const { world, token } = stolen;
    await call(world, token, "POST", "/users/me/delete-code");
    const code = codesTo(world, email).at(-1) ?? "";
    await askTo(world, token, thief);
    const seen = codesTo(world, thief)[0] ?? "";
    for (const guess of [seen, otherThan(code)]) {
      const answer = await call(world, token, "POST", "/users/me/delete", { code: guess });
      expect(answer.status).toBe(403);
    }
    expect(await meOf(world, token)).toMatchObject({ email });
  });
});
