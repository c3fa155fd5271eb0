import { describe, expect, test } from "bun:test";
import type { SessionPolicy, SessionStore } from "../../src/auth/sessions/session-store.ts";
import { sessionPolicyDefault } from "../../src/auth/sessions/session-store.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testSessionLists } from "./session-store-lists.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const userId = "7d0ff4a2-6f5c-4c1e-9b57-0c6f8f3a1d11";
const device = "Firefox on Windows";

export type OpenSessionStore = (options: {
  readonly policy: SessionPolicy;
  readonly clock: FakeClock;
}) => Promise<
  AsyncDisposable & {
    readonly store: SessionStore;
    /** Everything the store has written, as text. */
    readonly dump: () => Promise<string>;
  }
>;

/** A store with the default lives on a clock that stands still. */
export async function openSessionsOn(open: OpenSessionStore) {
  const clock = new FakeClock();
  const opened = await open({ policy: sessionPolicyDefault, clock });
  return { ...opened, clock };
}

export function testSessionStore(name: string, open: OpenSessionStore): void {
  const openOn = () => openSessionsOn(open);

  describe(`SessionStore on ${name}`, () => {
    testSessionLists(openOn);

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
