import { describe, expect, test } from "bun:test";
import type { CodeStore, IssueOutcome } from "../../src/auth/codes/code-store.ts";
import type { OpenCodeStore } from "../support/code-requests.ts";
import { codeIssue, codeTry, idOf, kindOf, openOn } from "../support/code-requests.ts";
import { testCodeTries } from "./code-store-attempts.ts";
import { testKnownDevices } from "./code-store-devices.ts";

const minute = 60_000;

export function testCodeStore(name: string, open: OpenCodeStore): void {
  describe(`CodeStore on ${name}`, () => {
    testIssuing(open);
    testRefunds(open);
    testForgetting(open);
    testCodeTries(open);
    testKnownDevices(open);
  });
}

function testIssuing(open: OpenCodeStore): void {
  test("an issued code has what is needed to send it, with the store's times", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    const outcome = await store.issue(codeIssue("a@x.org", "m1"));
    expect(outcome).toEqual({
      kind: "issued",
      code: {
        messageId: "m1",
        timestamp: clock.now(),
        expiresAt: clock.now() + 10 * minute,
        keyId: "key",
        data: '{"expires_in":"10m"}',
      },
    });
  });

  test("within 60 s the same message comes again, five times, then none", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    const first = await store.issue(codeIssue("a@x.org", "m1"));
    await clock.advance(minute - 1);
    for (let repeat = 0; repeat < 5; repeat += 1) {
      const outcome = await store.issue(codeIssue("a@x.org", `again-${repeat}`));
      expect(outcome).toEqual({ ...first, kind: "repeated" } as IssueOutcome);
    }
    expect(await store.issue(codeIssue("a@x.org", "again-6"))).toEqual({
      kind: "rate_limited",
      limit: "repeats",
      retryAfterMs: 1,
    });
    await clock.advance(1);
    expect(idOf(await store.issue(codeIssue("a@x.org", "m2")))).toBe("m2");
  });

  test("a verifier is made for a new code alone", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1"));
    const verifier = () => {
      throw new Error("a verifier was made that nobody needs");
    };
    const outcome = await store.issue({ ...codeIssue("a@x.org", "m2"), verifier });
    expect(idOf(outcome)).toBe("m1");
  });

  test("a message that will not arrive is not repeated", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1"));
    const next = await store.issue(codeIssue("a@x.org", "m2", { supersedes: "m1" }));
    expect(kindOf(next)).toBe("issued");
    expect(idOf(await store.issue(codeIssue("a@x.org", "m3")))).toBe("m2");
  });

  test("an issue whose answer was lost answers the same when it is repeated", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const first = await store.issue(codeIssue("a@x.org", "m1"));
    expect(await store.issue(codeIssue("a@x.org", "m1"))).toEqual(first);
  });

  test("five codes an hour, each of them free again an hour after it was issued", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    for (let code = 0; code < 5; code += 1) {
      expect(kindOf(await store.issue(codeIssue("a@x.org", `m${code}`)))).toBe("issued");
      await clock.advance(2 * minute);
    }
    const spent = await store.issue(codeIssue("a@x.org", "m5"));
    expect(spent).toEqual({ kind: "rate_limited", limit: "codes", retryAfterMs: 50 * minute });
    expect(kindOf(await store.issue(codeIssue("b@x.org", "other")))).toBe("issued");
    await clock.advance(50 * minute);
    expect(kindOf(await store.issue(codeIssue("a@x.org", "m6")))).toBe("issued");
    expect(kindOf(await store.issue(codeIssue("a@x.org", "m7", { supersedes: "m6" })))).toBe(
      "rate_limited",
    );
  });

  test("the budget is one for all purposes, the repeat is not", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1"));
    const purpose = "delete_account" as const;
    expect(idOf(await store.issue(codeIssue("a@x.org", "m2", { purpose })))).toBe("m2");
    expect(idOf(await store.issue(codeIssue("a@x.org", "m3")))).toBe("m1");
    for (const id of ["m4", "m5", "m6"]) {
      await store.issue(codeIssue("a@x.org", id, { supersedes: await newest(store) }));
    }
    const spent = await store.issue(
      codeIssue("a@x.org", "m7", { purpose: "change_email" as const }),
    );
    expect(spent).toMatchObject({ kind: "rate_limited", limit: "codes" });
  });

  test("many who ask at once get one message", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const asked = Array.from({ length: 30 }, (_, n) => store.issue(codeIssue("a@x.org", `m${n}`)));
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter(({ kind }) => kind === "issued")).toHaveLength(1);
    expect(outcomes.filter(({ kind }) => kind === "repeated")).toHaveLength(5);
    expect(new Set(outcomes.map(idOf)).size).toBe(2); // that one, and undefined
  });

  test("what is prepared is for whenever it is needed, and may be dropped", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const [first, second] = [store.prepare("a@x.org"), store.prepare("a@x.org")];
    store.prepare("a@x.org");
    expect(kindOf(await first.issue(codeIssue("a@x.org", "m1")))).toBe("issued");
    expect(kindOf(await second.issue(codeIssue("a@x.org", "m2")))).toBe("repeated");
    const next = await second.issue(codeIssue("a@x.org", "m3", { supersedes: "m1" }));
    expect(idOf(next)).toBe("m3");
  });
}

function testForgetting(open: OpenCodeStore): void {
  test("what is forgotten is no longer good; what was spent and counted stays so", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const deletion = { purpose: "delete_account", code: "222222" } as const;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await store.issue(codeIssue("a@x.org", "m2", deletion));
    await store.verify(codeTry("a@x.org", "999999"));
    for (let repeat = 0; repeat < 2; repeat += 1) await store.forget("a@x.org");
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("wrong");
    expect(kindOf(await store.verify(codeTry("a@x.org", "222222", deletion)))).toBe("wrong");
    for (const id of ["m3", "m4", "m5"]) {
      const request = codeIssue("a@x.org", id, { supersedes: await newest(store) });
      expect(kindOf(await store.issue(request))).not.toBe("rate_limited");
    }
    for (let wrong = 3; wrong < 5; wrong += 1) await store.verify(codeTry("a@x.org", "999999"));
    expect(kindOf(await store.verify(codeTry("a@x.org", "999999")))).toBe("locked");
  });
}

const newest = async (store: CodeStore) => idOf(await store.issue(codeIssue("a@x.org", "?"))) ?? "";

function testRefunds(open: OpenCodeStore): void {
  test("a refunded code costs nothing until its message is given out again", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const scope = { email: "a@x.org", purpose: "sign_in" } as const;
    for (let failure = 0; failure < 20; failure += 1) {
      expect(idOf(await store.issue(codeIssue("a@x.org", `m${failure}`)))).toBe("m0");
      await store.refund({ ...scope, messageId: "m0" });
    }
    for (let code = 1; code <= 5; code += 1) {
      const request = codeIssue("a@x.org", `n${code}`, {
        supersedes: code === 1 ? "m0" : `n${code - 1}`,
      });
      expect(kindOf(await store.issue(request))).toBe("issued");
    }
    const spent = await store.issue(codeIssue("a@x.org", "n6", { supersedes: "n5" }));
    expect(kindOf(spent)).toBe("rate_limited");
  });

  test("a refunded repeat may be asked for again", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    const scope = { email: "a@x.org", purpose: "sign_in" } as const;
    await store.issue(codeIssue("a@x.org", "m1"));
    for (let failure = 0; failure < 10; failure += 1) {
      expect(kindOf(await store.issue(codeIssue("a@x.org", "again")))).toBe("repeated");
      await store.refund({ ...scope, messageId: "m1" });
    }
  });

  test("the code of a refunded message is good: it may have been sent after all", async () => {
    await using opened = await openOn(open);
    const { store } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await store.refund({ email: "a@x.org", purpose: "sign_in", messageId: "m1" });
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("verified");
  });

  test("a refund of a message that is not known does nothing", async () => {
    await using opened = await openOn(open);
    await opened.store.refund({ email: "a@x.org", purpose: "sign_in", messageId: "none" });
  });
}
