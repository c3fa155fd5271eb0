import { expect, test } from "bun:test";
import type { SessionStore } from "../../src/auth/sessions/session-store.ts";
import {
  dropChangedUsers,
  keepUserMsMax,
  userDroppedMs,
  userKeptMs,
} from "../../src/auth/sessions/session-store.ts";
import type { User } from "../../src/auth/users/user-store.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { OpenSessions } from "./session-store.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const userId = "7d0ff4a2-6f5c-4c1e-9b57-0c6f8f3a1d11";
const otherId = "1e7b5cf0-0d1a-4f7e-8a53-6c1f4c2b9d22";
const signIn = (store: SessionStore, device: string, user = userId) =>
  store.create({ userId: user, device });

const user: User = {
  id: userId,
  email: "ana@example.com",
  username: "ana",
  createdAt: 1,
  lastSignInAt: 2,
};

export function testKeptUsers(openOn: OpenSessions): void {
  test("a check is a use, and has the copy of the user once one is kept", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const { token, session } = await signIn(store, "one");
    const checked = await store.check(token);
    expect(checked).toEqual({ session, user: undefined, checkedAt: clock.now() });
    await store.keepUser(user, clock.now());
    expect((await store.check(token))?.user).toEqual(user);
    await clock.advance(minute);
    const used = { ...session, usedAt: clock.now() };
    expect(await store.check(token)).toEqual({ session: used, user, checkedAt: clock.now() });
    expect(await store.list(userId)).toEqual([used]);
  });

  test("the copy is of one user, for all of their sessions", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const [one, other] = [await signIn(store, "one"), await signIn(store, "other")];
    const elsewhere = await signIn(store, "elsewhere", otherId);
    await store.keepUser(user, clock.now());
    for (const { token } of [one, other]) expect((await store.check(token))?.user).toEqual(user);
    expect(await store.check(elsewhere.token)).toMatchObject({ user: undefined });
  });

  test("the copy gives no access: a session that was revoked or ended is not found", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const [revoked, left] = [await signIn(store, "revoked"), await signIn(store, "left")];
    await store.keepUser(user, clock.now());
    await store.revokeOne({ userId, id: revoked.session.id });
    expect(await store.check(revoked.token)).toBeUndefined();
    await clock.advance(7 * day);
    await store.keepUser(user, clock.now());
    expect(await store.check(left.token)).toBeUndefined();
    expect(await store.check("a".repeat(43))).toBeUndefined();
  });

  test("a dropped copy is gone at once, and none is kept for a while", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const { token } = await signIn(store, "one");
    await store.keepUser(user, clock.now());
    await store.dropUser(userId);
    const isKept = async () => (await store.check(token))?.user !== undefined;
    expect(await isKept()).toBe(false);
    await clock.advance(userDroppedMs - 1);
    await store.keepUser(user, clock.now());
    expect(await isKept()).toBe(false);
    await clock.advance(1);
    await store.keepUser(user, clock.now());
    expect(await isKept()).toBe(true);
  });

  test("a copy is kept for five minutes, and not for a check of long ago", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const { token } = await signIn(store, "one");
    await store.keepUser(user, clock.now() - keepUserMsMax - 1);
    expect(await store.check(token)).toMatchObject({ user: undefined });
    await store.keepUser(user, clock.now() - keepUserMsMax);
    await clock.advance(userKeptMs - 1);
    expect(await store.check(token)).toMatchObject({ user });
    await clock.advance(1);
    expect(await store.check(token)).toMatchObject({ user: undefined });
  });

  test("no copy is older than the last change, however checks and changes interleave", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const { token } = await signIn(store, "one");
    const random = new SeededRandom(7);
    let lastSignInAt = 0;
    let kept = 0;
    const keeps: (() => Promise<void>)[] = [];
    for (let step = 0; step < 300; step += 1) {
      const checked = await store.check(token);
      if (checked?.user !== undefined) {
        kept += 1;
        expect(checked.user.lastSignInAt).toBe(lastSignInAt);
      } else if (checked !== undefined) {
        const read = { ...user, lastSignInAt };
        keeps.push(() => store.keepUser(read, checked.checkedAt));
      }
      for (const index of keeps.keys()) {
        if (random.below(3) === 0) await keeps.splice(index, 1)[0]?.();
      }
      if (random.below(12) === 0) {
        await store.dropUser(userId);
        await clock.advance(random.below(userDroppedMs - keepUserMsMax));
        lastSignInAt += 1;
      }
      await clock.advance(random.below(4_000));
    }
    expect(kept).toBeGreaterThan(50);
    expect(lastSignInAt).toBeGreaterThan(10);
  });

  test("each change of a user drops the copy: before it, or with a sign-in after it", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const { token } = await signIn(store, "one");
    const seen: string[] = [];
    const note = async (call: string) => {
      seen.push(`${call} ${(await store.check(token))?.user === undefined ? "dropped" : "kept"}`);
    };
    const users = dropChangedUsers(
      {
        embedded: true,
        findBeyondAscii: async () => [],
        findById: async () => user,
        findByEmail: async () => user,
        findByUsername: async () => user,
        signIn: async () => note("signIn").then(() => ({ user, created: false })),
        setUsername: async () => note("setUsername").then(() => ({ kind: "changed", user })),
        setEmail: async () => note("setEmail").then(() => ({ kind: "changed", user })),
        findEmailChange: async () => undefined,
        findEmailChangedAt: async () => undefined,
        undoEmailChange: async () =>
          note("undoEmailChange").then(() => ({ kind: "changed", user })),
        delete: async () => note("delete").then(() => true),
        ping: async () => {},
      },
      store,
    );
    const changes = [
      () => users.setUsername({ id: userId, username: "bob" }),
      () => {
        const to = { email: "bob@example.com", undo: undefined };
        return users.setEmail({ id: userId, from: user.email, ...to });
      },
      () => users.undoEmailChange({ id: userId, undo: "u1" }),
      () => users.delete(userId),
      () => users.signIn({ email: user.email, username: undefined }),
    ];
    for (const change of changes) {
      await clock.advance(userDroppedMs);
      await store.keepUser(user, clock.now());
      await change();
      await note("after");
    }
    expect(seen).toEqual([
      "setUsername dropped",
      "after dropped",
      "setEmail dropped",
      "after dropped",
      "undoEmailChange dropped",
      "after dropped",
      "delete dropped",
      "after dropped",
      "signIn kept",
      "after dropped",
    ]);
  });
}
