import { expect, test } from "bun:test";
import { codePolicyDefault } from "../../src/auth/codes/code-policy.ts";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { codeIssue, codeTry } from "../support/code-requests.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { guessOdds } from "../support/guess-odds.ts";
import type { OpenCodeStore } from "./code-store-opening.ts";
import { openOn } from "./code-store-opening.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
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
    if (outcome.kind !== "rate_limited")
      this.#expiries.set(outcome.code.messageId, outcome.code.expiresAt);
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
export function testGuessing(open: OpenCodeStore): void {
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
