import { expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { recipientKey } from "../../src/email/event.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openGateRig } from "../support/gate-rig.ts";

const recipient = "Ana@example.com";
const key = recipientKey("ana@example.com");
const suppression = {
  key,
  address: "ana@example.com",
  reason: "bounced",
  note: undefined,
  createdAt: 0,
  expiresAt: undefined,
} as const;

test("an unknown recipient gets every mail", async () => {
  await using rig = await openGateRig();
  expect(await rig.gate.check(codeEvent({ recipient }))).toEqual({ kind: "open" });
  expect(await rig.gate.check(welcomeEvent({ recipient }))).toEqual({ kind: "open" });
});

test("an optional mail that was declined is suppressed; a code is not", async () => {
  await using rig = await openGateRig();
  await rig.preferences.change(key, { welcome: false });
  const declined = { kind: "suppressed", reason: "unsubscribed" } as const;
  expect(await rig.gate.check(welcomeEvent({ recipient }))).toEqual(declined);
  expect(await rig.gate.check(codeEvent({ recipient }))).toEqual({ kind: "open" });
});

test("only the declined type is suppressed: others of the same moment are not", async () => {
  await using rig = await openGateRig();
  await rig.preferences.change(key, { welcome: false });
  const welcome = welcomeEvent({ recipient });
  const notice = { ...welcome, eventType: "sign_in_notice" } as EmailEvent;
  const events = [welcome, notice, codeEvent({ recipient })];
  const answers = await Promise.all(events.map((event) => rig.gate.check(event)));
  expect(answers.map(({ kind }) => kind)).toEqual(["suppressed", "open", "open"]);
});

test("a suppressed address gets nothing, whatever its preferences", async () => {
  await using rig = await openGateRig();
  await rig.preferences.change(key, { welcome: false });
  await rig.suppressions.add([suppression]);
  const bounced = { kind: "suppressed", reason: "bounced" } as const;
  expect(await rig.gate.check(codeEvent({ recipient }))).toEqual(bounced);
  expect(await rig.gate.check(welcomeEvent({ recipient }))).toEqual(bounced);
});

test("mails of one moment share a query, and only optional ones ask for preferences", async () => {
  await using rig = await openGateRig();
  await rig.suppressions.add([suppression]);
  const codes = Array.from({ length: 700 }, (_, n) => codeEvent({ recipient: `u${n}@x.org` }));
  const events = [...codes, welcomeEvent({ recipient: "ben@x.org" }), codeEvent({ recipient })];
  const answers = await Promise.all(events.map((event) => rig.gate.check(event)));
  expect(answers.filter(({ kind }) => kind === "open")).toHaveLength(701);
  expect(answers.at(-1)).toEqual({ kind: "suppressed", reason: "bounced" });
  expect(rig.queried.suppressions.map((keys) => keys.length)).toEqual([500, 202]);
  expect(rig.queried.preferences).toEqual([[recipientKey("ben@x.org")]]);
});

test("a preference counts for the next check: nothing is cached", async () => {
  await using rig = await openGateRig();
  expect(await rig.gate.check(welcomeEvent({ recipient }))).toEqual({ kind: "open" });
  await rig.preferences.change(key, { welcome: false });
  expect((await rig.gate.check(welcomeEvent({ recipient }))).kind).toBe("suppressed");
});

test("while the stores are unavailable, checks are answered at once and one a second probes", async () => {
  await using rig = await openGateRig();
  rig.stores = "fail";
  const event = codeEvent({ recipient });
  expect(await rig.gate.check(event)).toMatchObject({ kind: "unavailable" });
  for (let look = 0; look < 10; look += 1) {
    expect(await rig.gate.check(event)).toMatchObject({ kind: "unavailable" });
  }
  expect(rig.queried.suppressions).toHaveLength(1);
  await rig.clock.advance(1_000);
  for (let look = 0; look < 10; look += 1) await rig.gate.check(event);
  expect(rig.queried.suppressions).toHaveLength(2);
  expect(rig.phrases).toEqual(["Preferences unavailable, optional mails wait"]);
});

test("when the stores are back, they are queried again", async () => {
  await using rig = await openGateRig();
  await rig.suppressions.add([suppression]);
  rig.stores = "fail";
  const event = codeEvent({ recipient });
  await rig.gate.check(event);
  rig.stores = "answer";
  await rig.clock.advance(1_000);
  await rig.gate.check(event);
  await eventually("it is back", () => !rig.gate.isUnavailable);
  expect(await rig.gate.check(event)).toEqual({ kind: "suppressed", reason: "bounced" });
  expect(rig.phrases.at(-1)).toBe("Preferences available again");
});

test("stores that hang delay a mail for a second, and those behind it no longer", async () => {
  await using rig = await openGateRig();
  rig.stores = "hang";
  const askedAt = performance.now();
  const first = rig.gate.check(codeEvent());
  await eventually("it is asked", () => rig.queried.suppressions.length === 1);
  const answers = await Promise.all([first, rig.gate.check(codeEvent())]);
  expect(answers.map(({ kind }) => kind)).toEqual(["unavailable", "unavailable"]);
  expect(performance.now() - askedAt).toBeLessThan(1_500);
});
