import { describe, expect, test } from "bun:test";
import type { User, UserStore } from "../../src/auth/users/user-store.ts";
import { FakeClock } from "../support/fake-clock.ts";

type OpenUserStore = (options: {
  readonly clock: FakeClock;
}) => Promise<AsyncDisposable & { readonly store: UserStore }>;

const username = undefined;

export function testUserStore(name: string, open: OpenUserStore): void {
  async function openOn() {
    const clock = new FakeClock();
    return { ...(await open({ clock })), clock };
  }

  describe(`UserStore on ${name}`, () => {
    testUsernames(openOn);
    testEmails(openOn);
    testUndo(openOn);
    testBeyondAscii(openOn);
    testDeletion(openOn);

    test("the first sign-in of an address makes its user", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const { user, created } = await store.signIn({ email: "a@x.org", username: "Ana" });
      expect(created).toBe(true);
      expect(user).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown as string,
        email: "a@x.org",
        username: "Ana",
        createdAt: clock.now(),
        lastSignInAt: clock.now(),
      });
    });

    test("a later sign-in is the same user's, and is remembered", async () => {
      await using opened = await openOn();
      const { store, clock } = opened;
      const first = await store.signIn({ email: "a@x.org", username });
      await clock.advance(1_000);
      const second = await store.signIn({ email: "a@x.org", username });
      expect(second).toEqual({
        user: { ...first.user, lastSignInAt: clock.now() },
        created: false,
      });
    });

    test("a user is found by id, address and username in any case", async () => {
      await using opened = await openOn();
      const { store } = opened;
      const { user } = await store.signIn({ email: "a@x.org", username: "Ana" });
      expect(await store.findById(user.id)).toEqual(user);
      expect(await store.findByEmail("a@x.org")).toEqual(user);
      expect(await store.findByUsername("aNA")).toEqual(user);
    });

    test("an unknown user is not found, whatever the question looks like", async () => {
      await using opened = await openOn();
      const { store } = opened;
      for (const text of ["", "no id", "'; DROP TABLE auth_users; --", "\0", crypto.randomUUID()]) {
        expect(await store.findById(text)).toBeUndefined();
      }
      expect(await store.findByEmail("nobody@x.org")).toBeUndefined();
      expect(await store.findByUsername("nobody")).toBeUndefined();
    });

    test("many first sign-ins at once make one user, and one of them created it", async () => {
      await using opened = await openOn();
      const signIns = Array.from({ length: 20 }, () =>
        opened.store.signIn({ email: "a@x.org", username }),
      );
      const outcomes = await Promise.all(signIns);
      expect(new Set(outcomes.map(({ user }) => user.id)).size).toBe(1);
      expect(outcomes.filter(({ created }) => created)).toHaveLength(1);
    });

    test("a username is set by the first sign-in that brings one, and stays", async () => {
      await using opened = await openOn();
      const { store } = opened;
      await store.signIn({ email: "a@x.org", username });
      const named = await store.signIn({ email: "a@x.org", username: "ana" });
      expect(named.user.username).toBe("ana");
      const again = await store.signIn({ email: "a@x.org", username: "other" });
      expect(again.user.username).toBe("ana");
      expect(await store.findByUsername("other")).toBeUndefined();
    });

    test("a username that was taken meanwhile is left out of the sign-in", async () => {
      await using opened = await openOn();
      const { store } = opened;
      await store.signIn({ email: "a@x.org", username: "ana" });
      const fresh = await store.signIn({ email: "b@x.org", username: "ANA" });
      expect(fresh).toMatchObject({ created: true, user: { email: "b@x.org" } });
      expect(fresh.user.username).toBeUndefined();
      const known = await store.signIn({ email: "b@x.org", username: "Ana" });
      expect(known.user.username).toBeUndefined();
    });

    test("the same username for two at once goes to one of them", async () => {
      await using opened = await openOn();
      const emails = Array.from({ length: 10 }, (_, n) => `user${n}@x.org`);
      const outcomes = await Promise.all(
        emails.map((email) => opened.store.signIn({ email, username: "wanted" })),
      );
      expect(outcomes.filter(({ user }) => user.username === "wanted")).toHaveLength(1);
    });
  });
}

type OpenOn = () => Promise<
  AsyncDisposable & { readonly store: UserStore; readonly clock: FakeClock }
>;

const create = async (store: UserStore, email: string, username?: string): Promise<User> =>
  (await store.signIn({ email, username })).user;

function testUsernames(openOn: OpenOn): void {
  test("a username is chosen later, changed, and written differently", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const user = await create(store, "a@x.org");
    for (const username of ["ana", "Ana", "tess"]) {
      const outcome = await store.setUsername({ id: user.id, username });
      expect(outcome).toEqual({ kind: "changed", user: { ...user, username } });
      expect(await store.findByUsername(username)).toMatchObject({ id: user.id, username });
    }
    expect(await store.findByUsername("ana")).toBeUndefined();
  });

  test("somebody else's username, in any case, is taken and changes nothing", async () => {
    await using opened = await openOn();
    const { store } = opened;
    await create(store, "a@x.org", "Ana");
    const { id } = await create(store, "b@x.org", "ben");
    expect(await store.setUsername({ id, username: "aNa" })).toEqual({ kind: "taken" });
    expect((await store.findById(id))?.username).toBe("ben");
  });

  test("of many who want the same username at once one gets it", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const emails = Array.from({ length: 10 }, (_, n) => `user${n}@x.org`);
    const users = await Promise.all(emails.map((email) => create(store, email)));
    const outcomes = await Promise.all(
      users.map(({ id }) => store.setUsername({ id, username: "wanted" })),
    );
    expect(outcomes.filter(({ kind }) => kind === "changed")).toHaveLength(1);
    expect(outcomes.filter(({ kind }) => kind === "taken")).toHaveLength(9);
  });
}

function testEmails(openOn: OpenOn): void {
  test("a changed address is the user's, and the old one is nobody's", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const user = await create(store, "a@x.org", "ana");
    const changed = { ...user, email: "b@x.org" };
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const outcome = await store.setEmail(move(user, "b@x.org"));
      expect(outcome).toEqual({ kind: "changed", user: changed });
    }
    expect(await store.findByEmail("b@x.org")).toEqual(changed);
    expect(await store.findByEmail("a@x.org")).toBeUndefined();
    expect((await store.signIn({ email: "b@x.org", username: undefined })).created).toBe(false);
    expect((await store.signIn({ email: "a@x.org", username: undefined })).created).toBe(true);
  });

  test("somebody else's address is taken and changes nothing", async () => {
    await using opened = await openOn();
    const { store } = opened;
    await create(store, "a@x.org");
    const user = await create(store, "b@x.org");
    expect(await store.setEmail(move(user, "a@x.org", "u1"))).toEqual({ kind: "taken" });
    expect((await store.findById(user.id))?.email).toBe("b@x.org");
    expect(await store.findEmailChange("u1")).toBeUndefined();
  });

  test("an address that is not the user's any more is not changed", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const user = await create(store, "a@x.org");
    await store.setEmail(move(user, "b@x.org"));
    expect(await store.setEmail(move(user, "c@x.org", "u1"))).toEqual({ kind: "gone" });
    expect((await store.findById(user.id))?.email).toBe("b@x.org");
    expect(await store.findEmailChange("u1")).toBeUndefined();
  });
}

/** The change of a user to another address, with the name it can be undone by. */
const move = ({ id, email: from }: User, email: string, undo?: string) => {
  return { id, from, email, undo };
};

function testUndo(openOn: OpenOn): void {
  async function changeTwice(store: UserStore): Promise<User> {
    const user = await create(store, "a@x.org", "ana");
    await store.setEmail(move(user, "b@x.org", "u1"));
    await store.setEmail(move({ ...user, email: "b@x.org" }, "c@x.org", "u2"));
    return user;
  }

  test("a change is undone once, and known until then", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const user = await create(store, "a@x.org", "ana");
    expect(await store.findEmailChangedAt(user.id)).toBeUndefined();
    await store.setEmail(move(user, "b@x.org", "u1"));
    await store.setEmail(move(user, "b@x.org", "u1")); // its answer was lost
    const changedAt = clock.now();
    await clock.advance(1_000);
    const change = { userId: user.id, email: "a@x.org", changedAt };
    expect(await store.findEmailChange("u1")).toEqual(change);
    expect(await store.findEmailChangedAt(user.id)).toBe(changedAt);
    const undone = await store.undoEmailChange({ id: user.id, undo: "u1" });
    expect(undone).toEqual({ kind: "changed", user });
    expect(await store.findByEmail("a@x.org")).toEqual(user);
    expect(await store.findEmailChange("u1")).toBeUndefined();
    expect(await store.findEmailChangedAt(user.id)).toBeUndefined();
    expect(await store.undoEmailChange({ id: user.id, undo: "u1" })).toEqual({ kind: "gone" });
  });

  test("the first of two changes undoes both, and the second cannot be undone any more", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const { id } = await changeTwice(store);
    expect(await store.undoEmailChange({ id, undo: "u1" })).toMatchObject({ kind: "changed" });
    expect((await store.findById(id))?.email).toBe("a@x.org");
    expect(await store.undoEmailChange({ id, undo: "u2" })).toEqual({ kind: "gone" });
    expect((await store.findById(id))?.email).toBe("a@x.org");
  });

  test("a name that was given before keeps naming the earlier change", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const user = await changeTwice(store);
    const again = await store.setEmail(move({ ...user, email: "c@x.org" }, "d@x.org", "u1"));
    expect(again).toMatchObject({ kind: "changed", user: { email: "d@x.org" } });
    const undone = await store.undoEmailChange({ id: user.id, undo: "u1" });
    expect(undone).toMatchObject({ kind: "changed", user: { email: "a@x.org" } });
    expect(await store.findEmailChangedAt(user.id)).toBeUndefined();
  });

  test("the second of two changes is undone, and then the first", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const { id } = await changeTwice(store);
    for (const [undo, email] of [
      ["u2", "b@x.org"],
      ["u1", "a@x.org"],
    ] as const) {
      const undone = await store.undoEmailChange({ id, undo });
      expect(undone).toMatchObject({ kind: "changed", user: { id, email } });
    }
  });

  test("an address that somebody else has by now is taken, and the change can be undone later", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const { id } = await changeTwice(store);
    const other = await create(store, "a@x.org");
    const undo = () => store.undoEmailChange({ id, undo: "u1" });
    expect(await undo()).toEqual({ kind: "taken" });
    expect((await store.findById(id))?.email).toBe("c@x.org");
    expect(await store.findById(other.id)).toEqual(other);
    await store.delete(other.id);
    expect(await undo()).toMatchObject({ kind: "changed", user: { email: "a@x.org" } });
  });

  test("a change can be undone for 72 hours", async () => {
    await using opened = await openOn();
    const { store, clock } = opened;
    const user = await create(store, "a@x.org");
    await store.setEmail(move(user, "b@x.org", "u1"));
    await clock.advance(72 * 3_600_000 - 1);
    expect(await store.findEmailChange("u1")).toBeDefined();
    await clock.advance(1);
    expect(await store.findEmailChange("u1")).toBeUndefined();
    expect(await store.findEmailChangedAt(user.id)).toBeUndefined();
    const { id } = user;
    expect(await store.undoEmailChange({ id, undo: "u1" })).toEqual({ kind: "gone" });
    expect((await store.findById(id))?.email).toBe("b@x.org");
  });

  test("a change is undone for its own user alone, and not after its deletion", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const { id } = await changeTwice(store);
    const other = await create(store, "d@x.org");
    const undone = await store.undoEmailChange({ id: other.id, undo: "u1" });
    expect(undone).toEqual({ kind: "gone" });
    await store.delete(id);
    expect(await store.findEmailChange("u1")).toBeUndefined();
    expect(await store.undoEmailChange({ id, undo: "u1" })).toEqual({ kind: "gone" });
    expect(await store.findByEmail("a@x.org")).toBeUndefined();
  });

  test("a change without a name is not kept", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const user = await create(store, "a@x.org");
    await store.setEmail(move(user, "b@x.org"));
    expect(await store.findEmailChangedAt(user.id)).toBeUndefined();
  });

  test("of an undo and another change at once, the undo has the last word", async () => {
    await using opened = await openOn();
    const { store } = opened;
    for (let round = 0; round < 20; round += 1) {
      const [first, second, third] = ["a", "b", "c"].map((name) => `${name}${round}@x.org`);
      const user = await create(store, first ?? "");
      const [undo, later] = [`u${round}`, `later${round}`];
      await store.setEmail(move(user, second ?? "", undo));
      await Promise.all([
        store.undoEmailChange({ id: user.id, undo }),
        store.setEmail(move({ ...user, email: second ?? "" }, third ?? "", later)),
      ]);
      expect((await store.findById(user.id))?.email).toBe(first ?? "");
      expect(await store.findEmailChange(later)).toBeUndefined();
    }
  });
}

function testBeyondAscii(openOn: OpenOn): void {
  test("the users with characters beyond ASCII in their address are found page by page", async () => {
    await using opened = await openOn();
    const { store } = opened;
    await create(store, "plain@x.org");
    const users = await Promise.all(
      ["é@x.org", "e\u0301@x.org", "我@x.org", "ÿ+%@x.org"].map((email) => create(store, email)),
    );
    const byId = users.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const first = await store.findBeyondAscii({ after: undefined, limit: 3 });
    expect(first).toEqual(byId.slice(0, 3));
    const rest = await store.findBeyondAscii({ after: first.at(-1)?.id, limit: 3 });
    expect(rest).toEqual(byId.slice(3));
  });
}

function testDeletion(openOn: OpenOn): void {
  test("a deleted user is gone, and its name and address are free", async () => {
    await using opened = await openOn();
    const { store } = opened;
    const user = await create(store, "a@x.org", "ana");
    const other = await create(store, "b@x.org");
    expect(await store.delete(user.id)).toBe(true);
    expect(await store.delete(user.id)).toBe(false);
    expect(await store.findById(user.id)).toBeUndefined();
    expect(await store.findByEmail("a@x.org")).toBeUndefined();
    expect(await store.setUsername({ id: other.id, username: "ana" })).toMatchObject({
      kind: "changed",
    });
    const again = await store.signIn({ email: "a@x.org", username: undefined });
    expect(again.created).toBe(true);
    expect(again.user.id).not.toBe(user.id);
  });

  test("nobody is changed or deleted by an id that is none", async () => {
    await using opened = await openOn();
    const { store } = opened;
    for (const id of ["", "no id", "'; --", "\0", crypto.randomUUID()]) {
      expect(await store.delete(id)).toBe(false);
      expect(await store.setUsername({ id, username: "ana" })).toEqual({ kind: "gone" });
      const change = { id, from: "b@x.org", email: "a@x.org", undo: "u1" };
      expect(await store.setEmail(change)).toEqual({ kind: "gone" });
      expect(await store.undoEmailChange({ id, undo: "u1" })).toEqual({ kind: "gone" });
      expect(await store.findEmailChangedAt(id)).toBeUndefined();
    }
  });
}
