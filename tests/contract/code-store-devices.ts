import { expect, test } from "bun:test";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { deviceAttemptsMax, knownDevicesMax } from "../../src/auth/codes/code-store.ts";
import { codePolicyDefault as policy } from "../../support/settings.ts";
import type { OpenCodeStore } from "../support/code-requests.ts";
import { codeIssue, codeTry, idOf, kindOf, openOn } from "../support/code-requests.ts";

const minute = 60_000;
const hour = 60 * minute;
const email = "a@x.org";
const device = "the session of a sign-in";

/** The part of the contract that is about known devices, codes that were used, and unlocking. */
export function testKnownDevices(open: OpenCodeStore): void {
  testOwnBudgets(open);
  testForgettingDevices(open);
  testUsedCodes(open);
  testUnlocking(open);
}

let messages = 0;

/** A code is issued, and entered with a right result. */
async function signIn(store: CodeStore, remember: string, replaces?: string): Promise<void> {
  messages += 1;
  const messageId = `sign-in-${messages}`;
  await store.issue(codeIssue(email, messageId, { code: "777777", supersedes: "any" }));
  const attempt = replaces === undefined ? { remember } : { remember, device: replaces };
  const outcome = await store.verify(codeTry(email, "777777", attempt));
  expect(outcome.kind).toBe("verified");
}

async function tryWrong(store: CodeStore, count: number, on?: string): Promise<void> {
  const entered = on === undefined ? {} : { device: on };
  for (let n = 0; n < count; n += 1) await store.verify(codeTry(email, "999999", entered));
}

const kindOn = async (store: CodeStore, code: string, on = device) =>
  kindOf(await store.verify(codeTry(email, code, { device: on, consume: false })));

function testOwnBudgets(open: OpenCodeStore): void {
  test("the lock of the address does not stop a known device, nor end by its right code", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await signIn(store, device);
    await store.issue(codeIssue(email, "m1", { code: "111111", device }));
    await tryWrong(store, 5);
    expect(kindOf(await store.verify(codeTry(email, "111111")))).toBe("locked");
    const right = await store.verify(codeTry(email, "111111", { device }));
    expect(right).toMatchObject({ kind: "verified", messageId: "m1", known: true });
    expect(kindOf(await store.verify(codeTry(email, "111111")))).toBe("locked");
  });

  test("wrong codes of a known device count for it alone: five lock it, ten forget it", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, device);
    await store.issue(codeIssue(email, "m1", { code: "111111", supersedes: "any" }));
    await tryWrong(store, 4, device);
    const fifth = await store.verify(codeTry(email, "999999", { device }));
    expect(fifth).toEqual({ kind: "wrong", lockedForMs: policy.lockMs });
    expect(await store.verify(codeTry(email, "111111", { device }))).toEqual({
      kind: "locked",
      retryAfterMs: policy.lockMs,
    });
    expect(kindOf(await store.verify(codeTry(email, "111111", { consume: false })))).toBe(
      "verified",
    );
    await clock.advance(policy.lockMs);
    await tryWrong(store, 5, device);
    expect(await kindOn(store, "111111")).toBe("unknown_device");
    expect(await store.verify(codeTry(email, "999999"))).toEqual({ kind: "wrong" }); // the first
  });

  test("of 100 wrong tries at once on a known device five are compared", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await signIn(store, device);
    const tries = Array.from({ length: 100 }, () => kindOn(store, "999999"));
    const kinds = await Promise.all(tries);
    expect(kinds.filter((kind) => kind === "wrong")).toHaveLength(5);
    expect(kinds.filter((kind) => kind === "locked")).toHaveLength(95);
  });

  test("whoever has a copy of its cookie has ten tries in all, until the owner signs in on it", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, device);
    let compared = 0;
    for (let quarter = 0; quarter < 4 * 24; quarter += 1) {
      for (let n = 0; n < 6; n += 1) if ((await kindOn(store, "999999")) === "wrong") compared += 1;
      await clock.advance(15 * minute);
    }
    expect(compared).toBe(deviceAttemptsMax(policy));
    await signIn(store, "second", device).catch(() => {}); // unknown by now
    await signIn(store, "second");
    await signIn(store, "third", "second");
    expect(await kindOn(store, "999999", "second")).toBe("unknown_device");
    expect(await kindOn(store, "999999", "third")).toBe("wrong");
  });

  test("a known device requests codes when the address has had all of its own", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, device);
    for (let n = 0; n < 8; n += 1) {
      await clock.advance(minute);
      await store.issue(codeIssue(email, `stranger-${n}`));
    }
    expect(await store.issue(codeIssue(email, "m0"))).toMatchObject({ limit: "codes" });
    for (let n = 1; n <= 5; n += 1) {
      const outcome = await store.issue(codeIssue(email, `own-${n}`, { device }));
      expect(idOf(outcome)).toBe(`own-${n}`);
      await clock.advance(minute);
    }
    expect(await store.issue(codeIssue(email, "own-6", { device }))).toEqual({
      kind: "rate_limited",
      limit: "codes",
      retryAfterMs: 55 * minute,
    });
    expect(await store.issue(codeIssue(email, "other", { device: "other" }))).toEqual({
      kind: "unknown_device",
    });
  });

  test("repeats that others used up do not keep a known device waiting", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await signIn(store, device);
    for (let n = 0; n < 7; n += 1) await store.issue(codeIssue(email, `stranger-${n}`));
    expect(await store.issue(codeIssue(email, "m0"))).toMatchObject({ limit: "repeats" });
    expect(await store.issue(codeIssue(email, "own", { device }))).toMatchObject({
      kind: "issued",
      code: { messageId: "own" },
    });
  });

  test("requests of others do not end the code that a known device requested", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, device);
    await clock.advance(hour);
    await store.issue(codeIssue(email, "first", { code: "000001" }));
    await store.issue(codeIssue(email, "own", { code: "111111", device, supersedes: "first" }));
    for (let n = 2; n <= 5; n += 1) {
      await clock.advance(minute);
      await store.issue(codeIssue(email, `stranger-${n}`, { code: `00000${n}` }));
    }
    expect(await kindOn(store, "111111")).toBe("verified");
    expect(await kindOn(store, "000005")).toBe("verified");
    expect(await kindOn(store, "000001")).toBe("wrong"); // five are live, as ever
  });

  test("what a known device requested and nobody could take is given back to it", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, device);
    for (let n = 0; n < 10; n += 1) {
      await clock.advance(minute);
      const messageId = `own-${n}`;
      expect(idOf(await store.issue(codeIssue(email, messageId, { device })))).toBe(messageId);
      await store.refund({ email, purpose: "sign_in", messageId });
    }
  });
}

function testForgettingDevices(open: OpenCodeStore): void {
  test("a device is known for its lifetime, from the newest sign-in on it", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, "old");
    await clock.advance(policy.deviceLifetimeMs - 1);
    expect(await kindOn(store, "999999", "old")).toBe("wrong");
    await signIn(store, device, "old");
    await clock.advance(policy.deviceLifetimeMs - 1);
    expect(await kindOn(store, "999999")).toBe("wrong");
    await clock.advance(1);
    expect(await kindOn(store, "999999")).toBe("unknown_device");
  });

  test("of too many devices that of the oldest sign-in is forgotten", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    for (let n = 0; n <= knownDevicesMax; n += 1) {
      await signIn(store, `device-${n}`);
      await clock.advance(hour);
    }
    expect(await kindOn(store, "999999", "device-0")).toBe("unknown_device");
    expect(await kindOn(store, "999999", "device-1")).toBe("wrong");
  });

  test("one is forgotten, or all but one, or all, or all with the codes", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const known = async () => {
      const kinds = await Promise.all(["a", "b", "c"].map((one) => kindOn(store, "999999", one)));
      return kinds.map((kind) => kind !== "unknown_device");
    };
    for (const one of ["a", "b", "c"]) await signIn(store, one);
    await store.forgetDevices({ email, only: "b" });
    expect(await known()).toEqual([true, false, true]);
    await store.forgetDevices({ email, except: "c" });
    expect(await known()).toEqual([false, false, true]);
    await store.forgetDevices({ email });
    expect(await known()).toEqual([false, false, false]);
    await store.unlock(email);
    await signIn(store, "a");
    await store.forget(email);
    expect(await known()).toEqual([false, false, false]);
  });

  test("a device is known for its own address alone", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await signIn(store, device);
    const elsewhere = await store.verify(codeTry("b@x.org", "999999", { device }));
    expect(elsewhere.kind).toBe("unknown_device");
  });

  test("a code that is kept makes no device known", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue(email, "m1", { code: "111111" }));
    const kept = { consume: false, remember: device };
    expect(kindOf(await store.verify(codeTry(email, "111111", kept)))).toBe("verified");
    expect(await kindOn(store, "111111")).toBe("unknown_device");
  });
}

function testUsedCodes(open: OpenCodeStore): void {
  test("a code that was used counts as no wrong try, until it would have expired", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue(email, "m1", { code: "111111" }));
    await store.verify(codeTry(email, "111111"));
    for (let n = 0; n < 20; n += 1) {
      expect(await store.verify(codeTry(email, "111111"))).toEqual({ kind: "used" });
    }
    const deletion = codeTry(email, "111111", { purpose: "delete_account" });
    expect(kindOf(await store.verify(deletion))).toBe("wrong");
    await clock.advance(policy.lifetimeMs);
    expect(await store.verify(codeTry(email, "111111"))).toEqual({ kind: "wrong" });
  });

  test("of 50 calls of one attempt at once one is the first, and all are verified", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue(email, "m1", { code: "111111" }));
    const attempt = { attempt: "the same form", remember: device };
    const calls = Array.from({ length: 50 }, () => {
      return store.verify(codeTry(email, "111111", attempt));
    });
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter(({ kind }) => kind === "verified")).toHaveLength(50);
    expect(outcomes.filter((one) => "repeated" in one && !one.repeated)).toHaveLength(1);
    await clock.advance(policy.lifetimeMs);
    expect(kindOf(await store.verify(codeTry(email, "111111", attempt)))).toBe("wrong");
  });

  test("an attempt repeated on the device that the first call replaced is verified too", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await signIn(store, "before");
    await store.issue(codeIssue(email, "m1", { code: "111111", supersedes: "any" }));
    const attempt = { attempt: "the same form", remember: device, device: "before" };
    for (const repeated of [false, true]) {
      const outcome = await store.verify(codeTry(email, "111111", attempt));
      expect(outcome).toEqual({ kind: "verified", messageId: "m1", known: true, repeated });
    }
  });
}

function testUnlocking(open: OpenCodeStore): void {
  test("unlocking ends the lock, and starts with the short one and full budgets again", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    for (const lockMs of [15 * minute, 30 * minute]) {
      await tryWrong(store, 5);
      expect(await store.lockedUntil({ email })).toBe(clock.now() + lockMs);
      await clock.advance(lockMs);
    }
    for (let n = 0; n < 5; n += 1) {
      await store.issue(codeIssue(email, `m${n}`, { code: `11111${n}` }));
      await clock.advance(minute);
    }
    await tryWrong(store, 5);
    expect(await store.unlock(email)).toBe(clock.now() + hour);
    expect(await store.unlock(email)).toBeUndefined();
    const keep = codeTry(email, "111114", { consume: false });
    expect(kindOf(await store.verify(keep))).toBe("verified");
    expect(idOf(await store.issue(codeIssue(email, "m6")))).toBe("m6");
    await tryWrong(store, 4);
    expect(await store.verify(codeTry(email, "999999"))).toMatchObject({
      lockedForMs: 15 * minute,
    });
  });

  test("unlocking ends the lock of a known device, and gives it no more tries", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await signIn(store, device);
    await tryWrong(store, 5, device);
    expect(await store.lockedUntil({ email, device })).toBe(clock.now() + 15 * minute);
    expect(await store.lockedUntil({ email })).toBe(0);
    expect(await store.unlock(email)).toBe(clock.now() + 15 * minute);
    await tryWrong(store, 5, device);
    expect(await kindOn(store, "999999")).toBe("unknown_device");
  });
}
