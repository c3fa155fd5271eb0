import { expect, test } from "bun:test";
import type { User, UserStore } from "../../src/auth/users/user-store.ts";

type OpenOn = () => Promise<AsyncDisposable & { readonly store: UserStore }>;

const create = async (store: UserStore, email: string, username?: string): Promise<User> =>
  (await store.signIn({ email, username })).user;

/** The half of the contract that is about changing and deleting users. */
export function testUserChanges(openOn: OpenOn): void {
  testUsernames(openOn);
  testEmails(openOn);
  testDeletion(openOn);
}

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
      const outcome = await store.setEmail({ id: user.id, email: "b@x.org" });
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
    const { id } = await create(store, "b@x.org");
    expect(await store.setEmail({ id, email: "a@x.org" })).toEqual({ kind: "taken" });
    expect((await store.findById(id))?.email).toBe("b@x.org");
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
      expect(await store.setEmail({ id, email: "a@x.org" })).toEqual({ kind: "gone" });
    }
  });
}
