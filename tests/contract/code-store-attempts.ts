import { expect, test } from "bun:test";
import type { CodeStore, VerifyOutcome } from "../../src/auth/codes/code-store.ts";
import { codePolicyDefault } from "../../support/settings.ts";
import type { OpenCodeStore } from "../support/code-requests.ts";
import { codeIssue, codeTry, guessOdds, kindOf, openOn } from "../support/code-requests.ts";
import type { FakeClock } from "../support/fake-clock.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** The half of the contract that is about entering codes. */
export function testCodeTries(open: OpenCodeStore): void {
  testVerifying(open);
  testTriesAtOnce(open);
  testLocks(open);
  testGuessing(open);
}

function testVerifying(open: OpenCodeStore): void {
  test("a right code is verified once, and ends the earlier ones", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    await clock.advance(minute);
    await store.issue(codeIssue("a@x.org", "m2", { code: "222222" }));
    const outcome = await store.verify(codeTry("a@x.org", "111111"));
    expect(outcome).toMatchObject({ kind: "verified", messageId: "m1", repeated: false });
    expect(kindOf(await store.verify(codeTry("a@x.org", "222222")))).toBe("wrong");
    expect(kindOf(await store.verify(codeTry("a@x.org", "111111")))).toBe("used");
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
    expect(await store.verify(request)).toEqual({ ...first, repeated: true } as VerifyOutcome);
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
}

function testTriesAtOnce(open: OpenCodeStore): void {
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

  test.each([true, false])(
    "behind five wrong tries at once the right one is not compared (consume: %p)",
    async (consume) => {
      await using opened = await openOn(open);
      const { store } = opened;
      await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
      const codes = [...Array.from({ length: 5 }, () => "999999"), "111111"];
      const tries = codes.map((code) => store.verify(codeTry("a@x.org", code, { consume })));
      const outcomes = await Promise.all(tries);
      expect(outcomes.map(kindOf)).toEqual([...Array.from({ length: 5 }, () => "wrong"), "locked"]);
    },
  );

  test("a prepared try meets what others changed since, and the time of its call", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    await store.issue(codeIssue("a@x.org", "m1", { code: "111111" }));
    const late = store.prepare("a@x.org");
    const locked = store.prepare("a@x.org");
    await clock.advance(10 * minute);
    expect(kindOf(await late.verify(codeTry("a@x.org", "111111")))).toBe("wrong");
    for (let n = 0; n < 4; n += 1) await store.verify(codeTry("a@x.org", "999999"));
    expect(kindOf(await locked.verify(codeTry("a@x.org", "111111")))).toBe("locked");
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

const email = "a@x.org";
const odds = guessOdds(codePolicyDefault);

/** Somebody who knows the address, asks for codes and enters wrong ones, and counts. */
class Guesser {
  guesses = 0;
  /** Over all guesses, how many codes were live: each is one chance in a million. */
  chances = 0;
  liveMost = 0;
  readonly store: CodeStore;
  readonly clock: FakeClock;
  readonly #endsAt: number;
  readonly #expiries = new Map<string, number>();

  constructor(store: CodeStore, clock: FakeClock, durationMs: number) {
    this.store = store;
    this.clock = clock;
    this.#endsAt = clock.now() + durationMs;
  }

  get leftMs(): number {
    return this.#endsAt - this.clock.now();
  }

  async wait(durationMs: number): Promise<void> {
    await this.clock.advance(Math.min(durationMs, this.leftMs));
  }

  async askForCode(): Promise<void> {
    const outcome = await this.store.issue(codeIssue(email, crypto.randomUUID()));
    if ("code" in outcome) this.#expiries.set(outcome.code.messageId, outcome.code.expiresAt);
  }

  /** How long nothing more is taken; 0: it may go on. */
  async guess(): Promise<number> {
    const outcome = await this.store.verify(codeTry(email, "999999"));
    if (outcome.kind === "locked") return outcome.retryAfterMs;
    const now = this.clock.now();
    const live = [...this.#expiries.values()].filter((expiresAt) => expiresAt > now).length;
    this.guesses += 1;
    this.chances += live;
    this.liveMost = Math.max(this.liveMost, live);
    return outcome.kind === "wrong" ? (outcome.lockedForMs ?? 0) : 0;
  }
}

/** A code and a guess whenever it is possible, as fast as a program can. */
async function hasty(guesser: Guesser): Promise<void> {
  while (guesser.leftMs > 0) {
    await guesser.askForCode();
    const lockedForMs = await guesser.guess();
    await guesser.wait(lockedForMs || 20_000);
  }
}

/** Runs into the first lock, which costs no time, and into none of the longer ones. */
async function patient(guesser: Guesser): Promise<void> {
  for (let round = 0; guesser.leftMs > 0; round += 1) {
    await guesser.askForCode();
    const isLast = guesser.leftMs <= 15 * minute;
    const guesses = round === 0 || isLast ? 5 : 4;
    for (let guess = 0; guess < guesses; guess += 1) await guesser.guess();
    await guesser.wait(15 * minute);
  }
}

/** Collects as many live codes as there can be before each round of guesses. */
async function collecting(guesser: Guesser): Promise<void> {
  while (guesser.leftMs > 0) {
    for (let code = 0; code < 5; code += 1) {
      await guesser.askForCode();
      if (code < 4) await guesser.wait(minute);
    }
    let lockedForMs = 0;
    while (lockedForMs === 0 && guesser.leftMs > 0) lockedForMs = await guesser.guess();
    await guesser.wait(Math.max(lockedForMs, hour - 4 * minute));
  }
}

/** With an owner who signs in after each lock, and so makes the next one short again. */
async function helped(guesser: Guesser): Promise<void> {
  for (let round = 0; guesser.leftMs > 0; round += 1) {
    await guesser.store.issue(codeIssue(email, `owner-${round}`, { code: "111111" }));
    await guesser.store.verify(codeTry(email, "111111"));
    for (let guess = 0; guess < 5; guess += 1) await guesser.guess();
    await guesser.wait(15 * minute);
  }
}

const guessers = { hasty, patient, collecting, helped };

/** What each comes to, as `docs/security.md` says it: guesses in an hour, and in a day. */
export const guesserRows = [
  ["hasty", 15, 125],
  ["patient", 18, 386],
  ["collecting", 5, 115],
  ["helped", 20, 480],
] as const;

/** The part of the contract that `docs/security.md` gives figures of. */
function testGuessing(open: OpenCodeStore): void {
  async function attack(name: keyof typeof guessers, durationMs: number): Promise<Guesser> {
    await using opened = await openOn(open);
    const guesser = new Guesser(opened.store, opened.clock, durationMs);
    await guessers[name](guesser);
    expect(guesser.liveMost).toBeLessThanOrEqual(odds.liveCodesMax);
    return guesser;
  }

  test.each(guesserRows)("in an hour the %s one has %i guesses", async (name, guesses) => {
    const guesser = await attack(name, hour);
    expect(guesser.guesses).toBe(guesses);
    expect(guesser.guesses).toBeLessThanOrEqual(odds.guessesPerHourMax);
    expect(guesser.chances).toBeLessThanOrEqual(odds.chancesPerHourMax);
  });

  test.each(guesserRows)(
    "in a day the %s one, with %i in an hour, has %i",
    async (name, _, guesses) => {
      const guesser = await attack(name, day);
      expect(guesser.guesses).toBe(guesses);
      expect(guesser.guesses).toBeLessThanOrEqual(odds.guessesPerDayMax);
      expect(guesser.chances).toBeLessThanOrEqual(odds.chancesPerDayMax);
    },
  );

  test("no guess meets more codes than an address may be sent, also when nobody takes the mails", async () => {
    await using opened = await openOn(open);
    const { store, clock } = opened;
    for (let n = 0; n < 8; n += 1) {
      const messageId = `m${n}`;
      await store.issue(codeIssue(email, messageId, { code: `00000${n}` }));
      await store.refund({ email, purpose: "sign_in", messageId });
      await clock.advance(minute);
    }
    const good: number[] = [];
    for (const n of [7, 6, 5, 4, 3, 2]) {
      const keep = codeTry(email, `00000${n}`, { consume: false });
      if ((await store.verify(keep)).kind === "verified") good.push(n);
    }
    expect(good).toEqual([7, 6, 5, 4, 3]);
  });
}
