import { describe, expect, test } from "bun:test";
import type { SessionPolicy, SessionStore } from "../../src/auth/sessions/session-store.ts";
import { sessionPolicyDefault } from "../../support/settings.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testKeptUsers } from "./session-store-users.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const userId = "7d0ff4a2-6f5c-4c1e-9b57-0c6f8f3a1d11";
const otherId = "1e7b5cf0-0d1a-4f7e-8a53-6c1f4c2b9d22";
const device = "Firefox on Windows";

type OpenSessionStore = (options: {
  readonly policy: SessionPolicy;
  readonly clock: FakeClock;
}) => Promise<
  AsyncDisposable & {
    readonly store: SessionStore;
    /** Everything the store has written, as text. */
    readonly dump: () => Promise<string>;
  }
>;

export function testSessionStore(name: string, open: OpenSessionStore): void {
  /** A store with the default lives on a clock that stands still. */
  async function openOn(policy: Partial<SessionPolicy> = {}) {
    const clock = new FakeClock();
    return { ...(await open({ policy: { ...sessionPolicyDefault, ...policy }, clock })), clock };
  }

  describe(`SessionStore on ${name}`, () => {
    testListing(openOn);
    testCap(openOn);
    testRevoking(openOn);
    testKeptUsers(openOn);

    test("a created session is found by its token", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const { token, session } = await store.create({ userId, device });
      expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
      expect(session.id).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(session).toEqual({
        id: session.id,
        userId,
        device,
        createdAt: clock.now(),
        usedAt: clock.now(),
      });
      expect(await store.find(token)).toEqual(session);
    });

    test("the token is kept nowhere", async () => {
      await using opened = await openOn();
      const { token } = await opened.store.create({ userId, device });
      const kept = await opened.dump();
      expect(kept).toContain(userId);
      expect(kept).not.toContain(token);
    });

    test("two sign-ins are two sessions", async () => {
      await using opened = await openOn();
      const { store } = opened;
      const [one, other] = [
        await store.create({ userId, device }),
        await store.create({ userId, device }),
      ];
      await store.revoke(one.token);
      expect(await store.find(one.token)).toBeUndefined();
      expect(await store.find(other.token)).toBeDefined();
    });

    test("of 20 sign-ins of the same names at once there is one session", async () => {
      await using opened = await openOn();
      const { store } = opened;
      const names = { id: "i".repeat(22), token: "t".repeat(43) };
      const created = await Promise.all(
        Array.from({ length: 20 }, () => store.create({ userId, device, ...names })),
      );
      expect(new Set(created.map(({ token }) => token)).size).toBe(1);
      expect(await store.list(userId)).toEqual([created[0]?.session].filter((one) => !!one));
      expect(await store.find(names.token)).toMatchObject({ id: names.id, userId, device });
    });

    test.each(["revoke", "revokeOne", "revokeAll"] as const)(
      "a session that was ended by %s does not come back with another call that creates it",
      async (revoke) => {
        await using opened = await openOn();
        const { store, clock } = opened;
        const names = { id: "i".repeat(22), token: "t".repeat(43) };
        await store.create({ userId, device, ...names });
        if (revoke === "revoke") await store.revoke(names.token);
        else if (revoke === "revokeOne") await store.revokeOne({ userId, id: names.id });
        else await store.revokeAll({ userId });
        for (let later = 0; later < 3; later += 1) {
          await store.create({ userId, device, ...names });
          expect(await store.find(names.token)).toBeUndefined();
          expect(await store.list(userId)).toEqual([]);
          await store.create({ userId: otherId, device: "other" });
          await clock.advance(5 * minute);
        }
      },
    );

    test("a revoked session is gone, and may be revoked again", async () => {
      await using opened = await openOn();
      const { store } = opened;
      const { token } = await store.create({ userId, device });
      await store.revoke(token);
      await store.revoke(token);
      expect(await store.find(token)).toBeUndefined();
    });

    test.each(["", "x", "a".repeat(43), "a".repeat(100), "../../etc/passwd", "ü".repeat(43)])(
      "%p is nobody's token",
      async (token) => {
        await using opened = await openOn();
        expect(await opened.store.find(token)).toBeUndefined();
        await opened.store.revoke(token);
      },
    );

    test("each use gives it seven more days", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const { token } = await store.create({ userId, device });
      for (let use = 0; use < 3; use += 1) {
        await clock.advance(7 * day - 1);
        expect(await store.find(token)).toMatchObject({ usedAt: clock.now() });
      }
      await clock.advance(7 * day);
      expect(await store.find(token)).toBeUndefined();
    });

    test("it ends 30 days after the sign-in, however it is used", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const { token } = await store.create({ userId, device });
      for (let use = 0; use < 5; use += 1) {
        await clock.advance(6 * day - (use === 4 ? 1 : 0));
        expect(await store.find(token)).toBeDefined();
      }
      await clock.advance(1);
      expect(await store.find(token)).toBeUndefined();
    });

    test("a use is written down once a minute at most", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const { token, session } = await store.create({ userId, device });
      await clock.advance(minute - 1);
      expect(await store.find(token)).toEqual(session);
      await clock.advance(1);
      const used = { ...session, usedAt: clock.now() };
      expect(await store.find(token)).toEqual(used);
      await clock.advance(minute - 1);
      expect(await store.find(token)).toEqual(used);
    });

    test("uses at the same moment all find it", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const { token } = await store.create({ userId, device });
      await clock.advance(minute);
      const found = await Promise.all(Array.from({ length: 50 }, () => store.find(token)));
      expect(found.every((session) => session?.userId === userId)).toBe(true);
    });
  });
}

export type OpenSessions = (
  policy?: Partial<SessionPolicy>,
) => Promise<AsyncDisposable & { readonly store: SessionStore; readonly clock: FakeClock }>;

const signIn = (store: SessionStore, device: string, user = userId) =>
  store.create({ userId: user, device });
const devicesOf = async (store: SessionStore, user = userId) =>
  (await store.list(user)).map(({ device }) => device);

function testListing(openOn: OpenSessions): void {
  test("a user's live sessions are listed, the one used last first", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const phone = await signIn(store, "phone");
    await clock.advance(minute);
    const desk = await signIn(store, "desk");
    await signIn(store, "elsewhere", otherId);
    await clock.advance(minute);
    const used = await store.find(phone.token);
    expect(await store.list(userId)).toEqual([used ?? phone.session, desk.session]);
    expect(await store.list("nobody")).toEqual([]);
  });

  test("a session that ended is not listed", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    await signIn(store, "idle");
    await clock.advance(day);
    await signIn(store, "used");
    await clock.advance(6 * day);
    expect(await devicesOf(store)).toEqual(["used"]);
    expect(await store.revokeAll({ userId })).toBe(1);
  });

  test("beyond the most a user may have, the session used longest ago ends", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    for (let ended = 0; ended < 3; ended += 1) {
      await store.revoke((await signIn(store, "ended")).token); // they take nobody's place
    }
    const first = await signIn(store, "first");
    const second = await signIn(store, "second");
    await clock.advance(minute);
    await store.find(first.token);
    const { perUserMax } = sessionPolicyDefault;
    for (let count = 2; count < perUserMax; count += 1) await signIn(store, "filler");
    expect(await store.find(second.token)).toBeDefined();
    await clock.advance(minute);
    await store.find(first.token);
    await store.find(second.token);
    await signIn(store, "one more");
    const devices = await devicesOf(store);
    expect(devices).toHaveLength(perUserMax);
    expect(devices.filter((device) => device === "filler")).toHaveLength(perUserMax - 3);
  });
}

function testCap(openOn: OpenSessions): void {
  test.each([1, 3])(
    "the most sessions of a user are what the policy says: %i",
    async (perUserMax) => {
      await using opened = await openOn({ perUserMax });
      const { store, clock } = opened;
      await signIn(store, "elsewhere", otherId);
      for (const name of ["a", "b", "c", "d"]) {
        await clock.advance(minute);
        await signIn(store, name);
      }
      expect(await devicesOf(store)).toEqual(["d", "c", "b"].slice(0, perUserMax));
      expect(await devicesOf(store, otherId)).toEqual(["elsewhere"]);
    },
  );
}

function testRevoking(openOn: OpenSessions): void {
  test("one is revoked by its id, at once", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const [one, other] = [await signIn(store, "one"), await signIn(store, "other")];
    expect(await store.revokeOne({ userId, id: one.session.id })).toBe(true);
    expect(await store.revokeOne({ userId, id: one.session.id })).toBe(false);
    expect(await store.find(one.token)).toBeUndefined();
    expect(await store.find(other.token)).toBeDefined();
    expect(await devicesOf(store)).toEqual(["other"]);
  });

  test.each(["", "x", "../..", "a".repeat(100)])("%p is nobody's id", async (id) => {
    await using opened = await openOn();
    const { store } = opened;
    const { token } = await signIn(store, "one");
    expect(await store.revokeOne({ userId, id })).toBe(false);
    expect(await store.find(token)).toBeDefined();
  });

  test("nobody revokes somebody else's by its id", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const { token, session } = await signIn(store, "one");
    expect(await store.revokeOne({ userId: otherId, id: session.id })).toBe(false);
    expect(await store.find(token)).toBeDefined();
  });

  test("all others are revoked, and the current one stays", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const tokens: string[] = [];
    for (let count = 0; count < 5; count += 1) tokens.push((await signIn(store, "old")).token);
    const current = await signIn(store, "current");
    const elsewhere = await signIn(store, "elsewhere", otherId);
    expect(await store.revokeAll({ userId, except: current.session.id })).toBe(5);
    for (const token of tokens) expect(await store.find(token)).toBeUndefined();
    expect(await store.find(current.token)).toBeDefined();
    expect(await store.find(elsewhere.token)).toBeDefined();
    expect(await store.revokeAll({ userId, except: current.session.id })).toBe(0);
  });

  test("all are revoked, and the user may sign in again", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const { token } = await signIn(store, "one");
    await signIn(store, "other");
    expect(await store.revokeAll({ userId })).toBe(2);
    expect(await store.find(token)).toBeUndefined();
    const again = await signIn(store, "again");
    expect(await store.find(again.token)).toBeDefined();
    expect(await devicesOf(store)).toEqual(["again"]);
  });

  test("a use at the same moment does not bring a revoked session back", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    for (let round = 0; round < 20; round += 1) {
      const { token } = await signIn(store, "one");
      await clock.advance(minute);
      const uses = Array.from({ length: 5 }, () => store.find(token));
      await Promise.all([...uses, store.revokeAll({ userId }), store.find(token)]);
      expect(await store.find(token)).toBeUndefined();
    }
  });
}
