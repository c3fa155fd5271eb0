import { describe, expect, test } from "bun:test";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { limitPolicyUnlimited } from "../../support/settings.ts";
import type { PairedTimes, TimeJudgement } from "../support/paired-times.ts";
import { judgeTimes } from "../support/paired-times.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";

/** Of each kind, to each call: TEST_TIMING_REQUESTS=5000 for figures worth publishing. */
const requestsCount = Number(process.env["TEST_TIMING_REQUESTS"] ?? 300);
const testMsMax = 30_000 + requestsCount * 100;
const addressesCount = 20;
const warmUps = 40;
const hour = 3_600_000;
const known = (n: number) => `known-${n % addressesCount}@example.com`;
const unknown = (n: number) => `other-${n % addressesCount}@example.com`;
/** Wrong for nearly every address; one in a million is right, and is one request of many. */
const wrongCode = "000000";

interface SignInTimes {
  readonly request: PairedTimes;
  readonly verify: PairedTimes;
}

const createPairs = (): PairedTimes => ({
  left: new Float64Array(requestsCount),
  right: new Float64Array(requestsCount),
});

async function timeOf(world: SignInWorld, path: string, body: object): Promise<number> {
  const startedAt = performance.now();
  const response = await world.post(path, body);
  await response.text();
  const durationMs = performance.now() - startedAt;
  if (response.status !== 200 && response.status !== 401) {
    throw new Error(`${path} answered ${response.status}`);
  }
  return durationMs;
}

/**
 * Asks for a code and enters a wrong one, for an address with an account and for one without, by
 * turns and in random order, so that what else the machine does meets both alike.
 */
async function measure(world: SignInWorld, random: SeededRandom): Promise<SignInTimes> {
  const times = { request: createPairs(), verify: createPairs() };
  for (let n = -warmUps; n < requestsCount; n += 1) {
    if (n % addressesCount === 0) await world.clock.advance(hour); // their budgets are whole again
    const turn = n + warmUps;
    const pair = [
      { side: "left", email: known(turn) },
      { side: "right", email: unknown(turn) },
    ] as const;
    for (const { side, email } of random.chance(0.5) ? pair : pair.toReversed()) {
      const requestMs = await timeOf(world, "/auth/request-code", { email });
      const verifyMs = await timeOf(world, "/auth/verify-code", { email, code: wrongCode });
      if (n < 0) continue;
      times.request[side][n] = requestMs;
      times.verify[side][n] = verifyMs;
    }
  }
  return times;
}

async function signUpKnown({ stores }: SignInWorld): Promise<void> {
  for (let n = 0; n < addressesCount; n += 1) {
    const { user } = await stores.users.signIn({ email: known(n), username: `known-${n}` });
    await stores.sessions.create({ userId: user.id, device: "Firefox on Windows" });
  }
}

/** What a judgement says, for the report of a long run. */
function wordsOf({ leftP50Ms, rightP50Ms, differenceMs, noiseMs }: TimeJudgement): string {
  const us = (ms: number) => `${(ms * 1000).toFixed(1)} µs`;
  return `p50 known ${us(leftP50Ms)}, unknown ${us(rightP50Ms)}, difference ${us(differenceMs)}, noise ±${us(noiseMs)}`;
}

/** Burns a millisecond more for addresses without an account: what a lookup of users would do. */
function slowForUnknown(codes: CodeStore): CodeStore {
  const burn = (email: string) => {
    const until = performance.now() + 1;
    while (email.startsWith("other") && performance.now() < until);
  };
  return {
    ...codes,
    prepare: (email) => {
      burn(email);
      return codes.prepare(email);
    },
  };
}

describe.each(signInEngines())("the time of an answer on %s", (engines, open) => {
  test(
    "does not tell whether an address has an account",
    async () => {
      await using world = await open({ limitPolicy: limitPolicyUnlimited });
      await signUpKnown(world);
      const random = new SeededRandom(Date.now());
      // Chance sets alike things apart once in 1,000 times: what is real is there a second time.
      for (const isLast of [false, true]) {
        const { request, verify } = await measure(world, random);
        const judged = { request: judgeTimes(request, random), verify: judgeTimes(verify, random) };
        if (requestsCount > 1000) {
          console.log(`${engines}, ${requestsCount} each: request-code ${wordsOf(judged.request)}`);
          console.log(`${engines}, ${requestsCount} each: verify-code ${wordsOf(judged.verify)}`);
        }
        const apart = judged.request.apart || judged.verify.apart;
        if (apart && !isLast) continue;
        expect(judged).toMatchObject({ request: { apart: false }, verify: { apart: false } });
        return;
      }
    },
    testMsMax,
  );

  test(
    "would tell a millisecond: it is seen",
    async () => {
      await using world = await open({ limitPolicy: limitPolicyUnlimited });
      await signUpKnown(world);
      const slow = world.restart({ codes: slowForUnknown(world.stores.codes) });
      const random = new SeededRandom(Date.now());
      const { request, verify } = await measure(slow, random);
      for (const times of [request, verify]) {
        expect(judgeTimes(times, random)).toMatchObject({ apart: true });
      }
    },
    testMsMax,
  );
});
