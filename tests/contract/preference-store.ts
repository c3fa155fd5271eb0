import { describe, expect, test } from "bun:test";
import { recipientKey } from "../../src/email/event.ts";
import type { PreferenceStore } from "../../src/email/preferences/preference-store.ts";
import { getPreferences } from "../../src/email/preferences/preference-store.ts";

type OpenPreferenceStore = () => Promise<AsyncDisposable & { readonly store: PreferenceStore }>;

const [ana, ben] = [recipientKey("ana@example.com"), recipientKey("ben@example.com")];

export function testPreferenceStore(name: string, open: OpenPreferenceStore): void {
  describe(`PreferenceStore on ${name}`, () => {
    test("who never said anything gets every mail, and is not found among the declined", async () => {
      await using opened = await open();
      expect(await opened.store.findDeclined([ana, ben])).toEqual(new Map());
      expect(await getPreferences(opened.store, ana)).toMatchObject({ welcome: true });
    });

    test("a type that was declined is found, for that recipient alone", async () => {
      await using opened = await open();
      await opened.store.change(ana, { welcome: false });
      expect(await opened.store.findDeclined([ana, ben])).toEqual(
        new Map([[ana, new Set(["welcome"])]]),
      );
      expect(await getPreferences(opened.store, ana)).toMatchObject({ welcome: false });
      expect(await getPreferences(opened.store, ben)).toMatchObject({ welcome: true });
    });

    test("a type can be wanted again", async () => {
      await using opened = await open();
      await opened.store.change(ana, { welcome: false });
      await opened.store.change(ana, { welcome: true });
      expect(await opened.store.findDeclined([ana])).toEqual(new Map());
    });

    test("a change repeated, and many at once, change nothing more", async () => {
      await using opened = await open();
      const { store } = opened;
      await Promise.all(Array.from({ length: 20 }, () => store.change(ana, { welcome: false })));
      await store.change(ana, { welcome: false });
      expect((await store.findDeclined([ana])).get(ana)).toEqual(new Set(["welcome"]));
    });

    test("a change that names no type leaves what was said", async () => {
      await using opened = await open();
      await opened.store.change(ana, { welcome: false });
      await opened.store.change(ana, {});
      await opened.store.change(ana, { welcome: undefined });
      expect((await opened.store.findDeclined([ana])).get(ana)).toEqual(new Set(["welcome"]));
    });

    test("who is forgotten is like one who never said anything", async () => {
      await using opened = await open();
      const { store } = opened;
      await store.change(ana, { welcome: false });
      await store.change(ben, { welcome: false });
      await store.forget(ana);
      await store.forget(ana);
      expect([...(await store.findDeclined([ana, ben])).keys()]).toEqual([ben]);
    });

    test("no keys, strange keys and 1,000 keys are answered", async () => {
      await using opened = await open();
      const { store } = opened;
      await store.change(ben, { welcome: false });
      expect(await store.findDeclined([])).toEqual(new Map());
      expect(await store.findDeclined(["", "'; DROP TABLE email_declined; --"])).toEqual(new Map());
      const others = Array.from({ length: 999 }, (_, n) => recipientKey(`user${n}@example.com`));
      expect([...(await store.findDeclined([...others, ben])).keys()]).toEqual([ben]);
    });
  });
}
