import { describe, expect, test } from "bun:test";
import { limitedAttempt, limitedCode } from "../../src/auth/limits/limits.ts";
import { limitPolicyDefault } from "../../support/settings.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";
import { siteRows } from "../support/strangers.ts";

// What a /48 of strangers comes to, 65,536 clients of an IPv6 /64 each, in an hour and in a day.

const minute = 60_000;
const hour = 60 * minute;
const linesCount = 65_536;
/** The /64s of five /56s, which together may use all that the /48 may. */
const ofFiveLines = 5 * 256;
/** A day of requests takes a busy machine a while. */
const testMsMax = 240_000;
const policy = limitPolicyDefault;
const rows = Object.fromEntries(siteRows.map(([what, inHour, inDay]) => [what, [inHour, inDay]]));

const address = (n: number) => `2001:db8:1:${(n % linesCount).toString(16)}::1`;
const client = (n: number) => `2001:db8:1:${(n % linesCount).toString(16)}::/64`;
const post = (world: SignInWorld, path: string, body: object, from: string) =>
  world.request(path, { method: "POST", body, client: from });

/** The six digits that are wrong for every code of these tests, but for one run in 200,000. */
const wrong = "999999";

class Stranger {
  guesses = 0;
  lockedMs = 0;
  /** Over all guesses, how many codes were live. */
  chances = 0;
  readonly #world: SignInWorld;
  readonly #email: string;
  #requests = 0;

  constructor(world: SignInWorld, email: string) {
    this.#world = world;
    this.#email = email;
  }

  /** The codes that were mailed: each message once. */
  get mails(): number {
    return new Set(this.#world.publisher.events.map(({ messageId }) => messageId)).size;
  }

  async requestCode(email = this.#email): Promise<void> {
    this.#requests += 1;
    await post(this.#world, "/auth/request-code", { email }, address(this.#requests));
  }

  /** As often as a code is compared. */
  async guess(): Promise<void> {
    for (;;) {
      this.#requests += 1;
      const body = { email: this.#email, code: wrong };
      const response = await post(this.#world, "/auth/verify-code", body, address(this.#requests));
      if (response.status !== 401) return;
      const { retryAfterSeconds = 0 } = (await response.json()) as { retryAfterSeconds?: number };
      this.lockedMs += 1000 * retryAfterSeconds;
      this.guesses += 1;
      const now = this.#world.clock.now();
      const live = this.#world.publisher.events.filter((event) => (event.expiresAt ?? 0) > now);
      this.chances += new Set(live.map(({ messageId }) => messageId)).size;
    }
  }
}

/** A code and guesses each minute. */
async function hasty(stranger: Stranger): Promise<void> {
  await stranger.requestCode();
  await stranger.guess();
}

/** Collects live codes for four minutes of each hour, and guesses in the fifth. */
async function collecting(stranger: Stranger, atMinute: number): Promise<void> {
  if (atMinute % 60 < 5) await stranger.requestCode();
  if (atMinute % 60 >= 4) await stranger.guess();
}

/** Another tag of the mailbox each minute. */
async function bombing(stranger: Stranger, atMinute: number): Promise<void> {
  for (let n = 0; n < 3; n += 1) await stranger.requestCode(`victim+${atMinute}-${n}@x.org`);
  await stranger.requestCode("victim@x.org");
}

const attacks = { hasty, collecting, bombing };

async function run(world: SignInWorld, name: keyof typeof attacks, durationMs: number) {
  const stranger = new Stranger(world, "victim@x.org");
  for (let atMinute = 0; atMinute < durationMs / minute; atMinute += 1) {
    await attacks[name](stranger, atMinute);
    await world.clock.advance(minute);
  }
  return stranger;
}

describe.each(signInEngines())("a /48 of strangers on %s", (_, open) => {
  test.each([
    ["an hour", hour, 0],
    ["a day", 24 * hour, 1],
  ] as const)(
    "in %s, against one address and one mailbox",
    async (_duration, durationMs, column) => {
      const found = { guesses: 0, chances: 0, mails: 0, lockedMinutes: 0, mailboxMails: 0 };
      for (const name of ["hasty", "collecting", "bombing"] as const) {
        await using world = await open();
        const { guesses, chances, mails, lockedMs } = await run(world, name, durationMs);
        if (name === "bombing") found.mailboxMails = mails;
        else found.mails = Math.max(found.mails, mails);
        found.guesses = Math.max(found.guesses, guesses);
        found.chances = Math.max(found.chances, chances);
        found.lockedMinutes = Math.max(found.lockedMinutes, lockedMs / minute);
      }
      for (const [what, most] of Object.entries(found)) {
        expect([what, most]).toEqual([what, rows[what]?.[column] ?? Number.NaN]);
      }
    },
    testMsMax,
  );

  /** How many of `count` clients of the /48 are not refused; each against an address of its own. */
  async function takeAll(
    world: SignInWorld,
    count: number,
    of: typeof limitedCode,
    prefix: string,
  ) {
    const { limits } = world.stores;
    let taken = 0;
    for (let from = 0; from < count; from += 512) {
      const uses = Array.from({ length: Math.min(512, count - from) }, (_each, n) =>
        limits.take(of(policy, { client: client(from + n), email: `${prefix}${from + n}@x.org` })),
      );
      taken += (await Promise.all(uses)).filter(({ kind }) => kind === "taken").length;
    }
    return taken;
  }

  test(
    "in an hour and a day, against everybody; and people elsewhere sign in meanwhile",
    async () => {
      await using world = await open();
      const attempts: number[] = [];
      const codes: number[] = [];
      for (let atHour = 0; atHour < 24; atHour += 1) {
        const count = atHour === 0 ? linesCount : ofFiveLines;
        const unasked = await takeAll(world, count, limitedAttempt, `a${atHour}-`);
        codes.push(await takeAll(world, ofFiveLines, limitedCode, `b${atHour}-`));
        const earned = await takeAll(world, ofFiveLines, limitedAttempt, `b${atHour}-`);
        attempts.push(unasked + earned);
        const { user } = await world.signIn(`person${atHour}@x.org`, { client: "192.0.2.1" });
        expect(user["email"]).toBe(`person${atHour}@x.org`);
        await world.clock.advance(hour);
      }
      const total = (list: readonly number[]) => list.reduce((sum, each) => sum + each, 0);
      expect([attempts[0], total(attempts)]).toEqual(rows["wrongCodes"] ?? []);
      expect([codes[0], total(codes)]).toEqual(rows["codes"] ?? []);
    },
    testMsMax,
  );

  test(
    "many /48s exhaust the global budgets; who asked for a code before still enters it",
    async () => {
      await using world = await open();
      await post(world, "/auth/request-code", { email: "ana@x.org" }, "192.0.2.1");
      const { code } = world.publisher;
      const { limits } = world.stores;
      const reserve = policy.attemptsGlobal.quota / 4;
      const takeEach = async (count: number, site: (n: number) => string) => {
        let taken = 0;
        for (let from = 0; from < count; from += 500) {
          const uses = Array.from({ length: 500 }, (_each, n) => {
            const email = `c${from + n}@x.org`;
            return limits.take(limitedAttempt(policy, { client: site(from + n), email }));
          });
          taken += (await Promise.all(uses)).filter(({ kind }) => kind === "taken").length;
        }
        return taken;
      };
      const few = await takeEach(9_000, (n) => `2001:db8:${n % 15}:${n.toString(16)}::/64`);
      expect(few).toBe(3 * reserve);
      const many = await takeEach(3_000, (n) => `2001:db9:${n.toString(16)}:0::/64`);
      expect(many).toBe(reserve);
      const body = { email: "ana@x.org", code };
      expect((await post(world, "/auth/verify-code", body, "198.51.100.1")).status).toBe(429);
      expect((await post(world, "/auth/verify-code", body, "192.0.2.200")).status).toBe(200);
    },
    testMsMax,
  );
});
