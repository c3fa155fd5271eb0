import { expect, test } from "bun:test";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { codeIssue, codeTry } from "../support/code-requests.ts";
import type { OpenCodeStore } from "./code-store-opening.ts";
import { kindOf, openOn } from "./code-store-opening.ts";

const minute = 60_000;
const hour = 60 * minute;

/** The half of the contract that is about entering codes. */
export function testCodeTries(open: OpenCodeStore): void {
  testVerifying(open);
  testLocks(open);
}

function testVerifying(open: OpenCodeStore): void {
  test("a right code is verified once, and ends the earlier ones", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await clock.advance(minute);
    await store.issue(codeIssue("a@x.org", "m2", { code: "222222" }));
    const outcome = await store.verify(codeTry("a@x.org", "111111"));
    expect(outcome).toEqual({ kind: "verified", messageId: "m1" });
    expect(kindOf(await store.verify(codeTry("a@x.org", "222222")))).toBe("wrong");
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("wrong");
  });

  test("a code is good until it expires", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await clock.advance(10 * minute - 1);
    const keep = codeTry("a@x.org", "111111", { consume: false });
    expect(kindOf(await store.verify(keep))).toBe("verified");
    await clock.advance(1);
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("wrong");
  });

  test("a try that does not consume leaves the code good, and counts when it is wrong", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    for (let look = 0; look < 10; look += 1) {
      const keep = codeTry("a@x.org", "111111", { consume: false });
      expect(kindOf(await store.verify(keep))).toBe("verified");
    }
    for (let wrong = 0; wrong < 5; wrong += 1) {
      await store.verify(codeTry("a@x.org", "999999", { consume: false }));
    }
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("locked");
  });

  test("a right try whose answer was lost answers the same when it is repeated", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    const request = codeTry("a@x.org", "111111");
    const first = await store.verify(request);
    await store.verify(codeTry("a@x.org", "999999"));
    expect(await store.verify(request)).toEqual(first);
  });

  test("any of the verifiers offered may match", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    const { verifiers, ...request } = codeTry("a@x.org", "111111");
    const outcome = await store.verify({ ...request, verifiers: ["other", ...verifiers] });
    expect(kindOf(outcome)).toBe("verified");
  });

  test("codes of another purpose or address neither match nor end", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const other = { code: "222222", purpose: "delete_account" } as const;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await store.issue(codeIssue("a@x.org", "m2", other));
    await store.issue(codeIssue("b@x.org", "m3", { code: "333333" }));
    expect(kindOf(await store.verify(codeTry("a@x.org", "222222")))).toBe("wrong");
    expect(kindOf(await store.verify(codeTry("a@x.org", "333333")))).toBe("wrong");
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("verified");
    expect(kindOf(await store.verify(codeTry("a@x.org", "222222", other)))).toBe("verified");
  });

  test("of 200 right tries at once one wins", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    const tries = Array.from({ length: 200 }, () => store.verify(codeTry("a@x.org", "111111")));
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter(({ kind }) => kind === "verified")).toHaveLength(1);
  });

  test("of 200 wrong tries at once exactly five are compared", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    const tries = Array.from({ length: 200 }, () => store.verify(codeTry("a@x.org", "999999")));
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter(({ kind }) => kind === "wrong")).toHaveLength(5);
    expect(outcomes.filter(({ kind }) => kind === "locked")).toHaveLength(195);
  });
}

function testLocks(open: OpenCodeStore): void {
  async function spendTries(store: CodeStore, count = 5): Promise<void> {
    for (let n = 0; n < count; n += 1) await store.verify(codeTry("a@x.org", "999999"));
  }
  const lockMsOf = async (store: CodeStore) => {
    const outcome = await store.verify(codeTry("a@x.org", "999999"));
    return outcome.kind === "locked" ? outcome.retryAfterMs : 0;
  };

  test("the fifth wrong try locks the address for 15 min, for the right code too", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await spendTries(store, 4);
    expect(await store.verify(codeTry("a@x.org", "999999"))).toEqual({
      kind: "wrong",
      lockedForMs: 15 * minute,
    });
    expect(await store.verify(codeTry("a@x.org", "111111"))).toEqual({
      kind: "locked",
      retryAfterMs: 15 * minute,
    });
    await clock.advance(15 * minute);
    await store.issue(codeIssue("a@x.org", "m2", { code: "222222" }));
    expect(kindOf(await store.verify(codeTry("a@x.org", "222222")))).toBe("verified");
  });

  test("a new code does not give new tries", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await spendTries(store, 4);
    await clock.advance(minute);
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await spendTries(store, 1);
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("locked");
  });

  test("an address nobody issued a code to is locked the same way", async () => {
    await using opened = await openOn(open);
    await spendTries(opened.store);
    expect(await lockMsOf(opened.store)).toBe(15 * minute);
  });

  test("locks grow to an hour and stay there", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    for (const lockMs of [15 * minute, 30 * minute, hour, hour]) {
      await spendTries(store);
      expect(await lockMsOf(store)).toBe(lockMs);
      await clock.advance(lockMs);
    }
  });

  test("a right code, or a day without a lock, starts with the short lock again", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await spendTries(store);
    await clock.advance(15 * minute);
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await store.verify(codeTry("a@x.org", "111111"));
    await spendTries(store);
    expect(await lockMsOf(store)).toBe(15 * minute);
    await clock.advance(15 * minute + 24 * hour);
    await spendTries(store);
    expect(await lockMsOf(store)).toBe(15 * minute);
  });

  test("wrong tries are forgotten one by one after 15 min", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await spendTries(store, 2);
    await clock.advance(10 * minute);
    await spendTries(store, 2);
    await clock.advance(5 * minute);
    await spendTries(store, 2); // two of the four are forgotten
    expect(await lockMsOf(store)).toBe(0);
    expect(await lockMsOf(store)).toBe(15 * minute);
  });
}
