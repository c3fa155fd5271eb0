import { describe, expect, test } from "bun:test";
import type { RecentMails, RecipientSecrets } from "../../src/email/recent-mails/recent-mails.ts";

/** A store of its own for one test. */
interface RecentMailsStore extends AsyncDisposable {
  open(secrets: RecipientSecrets): Promise<RecentMails>;
  /** Everything that is stored, as text. */
  dump(): Promise<string>;
  /** How long an entry still lives. */
  livesMs(): Promise<number>;
  /** Lets time pass, so that the next entry is newer. */
  tick(): Promise<void>;
}

const secrets = { current: "a secret of the test, long enough for it", previous: undefined };
const ana = "Ana@Example.com";

/** The contract of `RecentMails`: each of its rules is a test. */
export function recentMailsContract(name: string, openStore: () => Promise<RecentMailsStore>) {
  describe(name, () => {
    test("the newest come first, each once, whatever the case of the address", async () => {
      await using store = await openStore();
      const recent = await store.open(secrets);
      for (const id of ["a", "b", "a"]) {
        recent.add([{ recipient: ana, messageId: id }]);
        await recent.settled();
        await store.tick();
      }
      recent.add([{ recipient: "bob@example.com", messageId: "c" }]);
      await recent.settled();
      expect(await recent.find("ana@example.com")).toEqual(["a", "b"]);
      expect(await recent.find("nobody@example.com")).toEqual([]);
    });

    test("the newest 50 of a recipient are kept", async () => {
      await using store = await openStore();
      const recent = await store.open(secrets);
      for (let id = 1; id <= 52; id += 1) {
        recent.add([{ recipient: ana, messageId: `m${id}` }]);
        await recent.settled();
        await store.tick();
      }
      const found = await recent.find(ana);
      expect(found).toHaveLength(50);
      expect([found[0], found.at(-1)]).toEqual(["m52", "m3"]);
    });

    test("an entry lives a day, and shows no address", async () => {
      await using store = await openStore();
      const recent = await store.open(secrets);
      recent.add([{ recipient: ana, messageId: "m1" }]);
      await recent.settled();
      const livesMs = await store.livesMs();
      expect(livesMs).toBeGreaterThan(86_390_000);
      expect(livesMs).toBeLessThanOrEqual(86_400_000);
      const dump = (await store.dump()).toLowerCase();
      expect(dump).toContain("m1");
      expect(dump).not.toMatch(/ana|example/);
    });

    test("what was kept under the previous secret is found as long as that is set", async () => {
      await using store = await openStore();
      const before = await store.open(secrets);
      before.add([{ recipient: ana, messageId: "m1" }]);
      await before.settled();
      await store.tick();
      const current = "another secret of the test, long enough";
      const after = await store.open({ current, previous: secrets.current });
      after.add([{ recipient: ana, messageId: "m2" }]);
      await after.settled();
      expect((await after.find(ana)).toSorted()).toEqual(["m1", "m2"]);
      expect(await (await store.open({ current, previous: undefined })).find(ana)).toEqual(["m2"]);
    });
  });
}
