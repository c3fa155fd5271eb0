import { describe, expect, test } from "bun:test";
import { recipientKey } from "../../src/email/event.ts";
import type {
  Suppression,
  SuppressionStore,
} from "../../src/email/suppressions/suppression-store.ts";
import { FakeClock } from "../support/fake-clock.ts";

export type OpenSuppressionStore = (options: {
  readonly clock: FakeClock;
}) => Promise<AsyncDisposable & { readonly store: SuppressionStore }>;

const dayMs = 86_400_000;

export function testSuppressionStore(name: string, open: OpenSuppressionStore): void {
  async function openOn() {
    const clock = new FakeClock();
    const opened = await open({ clock });
    const entry = (address: string, changed: Partial<Suppression> = {}): Suppression => ({
      key: recipientKey(address),
      address,
      reason: "bounced",
      note: "550 5.1.1 no such user",
      createdAt: clock.now(),
      expiresAt: clock.now() + 30 * dayMs,
      ...changed,
    });
    return { ...opened, clock, entry };
  }
  const find = async (store: SuppressionStore, address: string) =>
    (await store.find([recipientKey(address)])).get(recipientKey(address));

  describe(`SuppressionStore on ${name}`, () => {
    test("an entry is found as it was added, and nobody else's", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      const added = entry("ana@example.com", { expiresAt: undefined, reason: "complained" });
      expect(await store.add([added])).toBe(1);
      expect(await find(store, "ana@example.com")).toEqual(added);
      expect(await find(store, "ben@example.com")).toBeUndefined();
    });

    test("an entry ends at its end, and is not counted or listed any more", async () => {
      await using opened = await openOn();
      const { store, clock, entry } = opened;
      await store.add([entry("ana@example.com")]);
      await clock.advance(30 * dayMs - 1);
      expect(await find(store, "ana@example.com")).toBeDefined();
      await clock.advance(1);
      expect(await find(store, "ana@example.com")).toBeUndefined();
      expect(await store.count()).toBe(0);
      expect(await store.newest({ limit: 10 })).toEqual([]);
      expect(await store.page({ after: "", limit: 10 })).toEqual([]);
      expect(await store.remove(recipientKey("ana@example.com"))).toBe(false);
    });

    test("of two entries the one that ends later stays, whichever came first", async () => {
      await using opened = await openOn();
      const { store, entry, clock } = opened;
      const short = entry("ana@example.com", { expiresAt: clock.now() + dayMs });
      const long = entry("ana@example.com", { reason: "manual", note: "asked by phone" });
      const endless = entry("ana@example.com", { reason: "complained", expiresAt: undefined });
      expect(await store.add([short])).toBe(1);
      expect(await store.add([long])).toBe(1);
      expect(await store.add([short])).toBe(0);
      expect(await find(store, "ana@example.com")).toEqual(long);
      expect(await store.add([short, endless, long])).toBe(1);
      expect(await store.add([long, entry("ana@example.com", { expiresAt: undefined })])).toBe(0);
      expect(await find(store, "ana@example.com")).toEqual(endless);
    });

    test("an entry that has ended makes way, and one that is over already is not added", async () => {
      await using opened = await openOn();
      const { store, entry, clock } = opened;
      await store.add([entry("ana@example.com")]);
      await clock.advance(40 * dayMs);
      expect(await store.add([entry("ana@example.com", { reason: "manual" })])).toBe(1);
      expect(await find(store, "ana@example.com")).toMatchObject({ reason: "manual" });
      expect(await store.add([entry("ben@example.com", { expiresAt: clock.now() })])).toBe(0);
    });

    test("a removed entry is gone at once, and says whether it was there", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      await store.add([entry("ana@example.com")]);
      expect(await store.remove(recipientKey("ana@example.com"))).toBe(true);
      expect(await store.remove(recipientKey("ana@example.com"))).toBe(false);
      expect(await find(store, "ana@example.com")).toBeUndefined();
    });

    test("a forgotten address stays suppressed without being named", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      await store.add([entry("ana@example.com")]);
      await store.forgetAddress(recipientKey("ana@example.com"));
      await store.forgetAddress(recipientKey("nobody@example.com"));
      expect(await find(store, "ana@example.com")).toEqual({
        ...entry("ana@example.com"),
        address: undefined,
        note: undefined,
      });
    });

    test("the newest come first, by reason when one is asked for", async () => {
      await using opened = await openOn();
      const { store, entry, clock } = opened;
      for (const [n, reason] of (["bounced", "manual", "bounced"] as const).entries()) {
        await store.add([entry(`user${n}@example.com`, { reason })]);
        await clock.advance(1_000);
      }
      const addresses = (found: readonly Suppression[]) => found.map(({ address }) => address);
      expect(addresses(await store.newest({ limit: 2 }))).toEqual([
        "user2@example.com",
        "user1@example.com",
      ]);
      expect(addresses(await store.newest({ limit: 10, reason: "bounced" }))).toEqual([
        "user2@example.com",
        "user0@example.com",
      ]);
      expect([await store.count(), await store.count("manual")]).toEqual([3, 1]);
    });

    test("1,000 entries are added at once and read page by page, each once", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      const entries = Array.from({ length: 1_000 }, (_, n) => entry(`user${n}@example.com`));
      expect(await store.add(entries)).toBe(1_000);
      const read: string[] = [];
      for (let after = ""; ; ) {
        const page = await store.page({ after, limit: 300 });
        if (page.length === 0) break;
        read.push(...page.map(({ key }) => key));
        after = page.at(-1)?.key ?? "";
      }
      expect(read).toEqual(entries.map(({ key }) => key).toSorted());
      expect((await store.find(entries.map(({ key }) => key))).size).toBe(1_000);
    });

    test("an address is suppressed once, however many say so at once", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      const adds = Array.from({ length: 20 }, () => store.add([entry("ana@example.com")]));
      const written = await Promise.all(adds);
      expect(written.toSorted()).toEqual([...Array.from({ length: 19 }, () => 0), 1]);
      expect(await store.count()).toBe(1);
    });

    test("a note is kept on one line, and no longer than 500 characters", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      await store.add([entry("ana@example.com", { note: `a\r\n\u001b[2Jb${"c".repeat(600)}` })]);
      const { note = "" } = (await find(store, "ana@example.com")) ?? {};
      expect(note).toStartWith("a [2Jbc");
      expect(note).toHaveLength(500);
    });

    test("whatever stands in an address or a note comes back as it was", async () => {
      await using opened = await openOn();
      const { store, entry } = opened;
      const address = `o'neil+"\\{},ü@example.com`;
      const added = entry(address, { note: `"quoted", it's \\ {1,2} ☃` });
      await store.add([added]);
      expect(await find(store, address)).toEqual(added);
    });
  });
}
