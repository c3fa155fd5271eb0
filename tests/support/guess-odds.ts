import type { CodePolicy } from "../../src/auth/codes/code.ts";
import { liveCodesMax } from "../../src/auth/codes/code.ts";

const hourMs = 3_600_000;

/** What is promised about guessing the codes of one address, from the settings alone. */
export interface GuessOdds {
  readonly guessesPerHourMax: number;
  readonly guessesPerDayMax: number;
  readonly liveCodesMax: number;
  /** A guess at a live code is one chance in a million. */
  readonly chancesPerHourMax: number;
  readonly chancesPerDayMax: number;
}

/**
 * The formula of `docs/security.md`. The last wrong code of a budget locks, so in less than the
 * shorter of the window and the first lock there are never more than `attemptsMax` guesses; and a code
 * meets those that fall into its life.
 */
export function guessOdds(policy: CodePolicy): GuessOdds {
  const roundMs = Math.min(policy.attemptsWindowMs, policy.lockMs);
  const guessesIn = (durationMs: number) => policy.attemptsMax * Math.ceil(durationMs / roundMs);
  const codesPerHour = (policy.codesMax * hourMs) / policy.codesWindowMs;
  const chancesPerHourMax = codesPerHour * guessesIn(policy.lifetimeMs);
  return {
    guessesPerHourMax: guessesIn(hourMs),
    guessesPerDayMax: guessesIn(24 * hourMs),
    liveCodesMax: liveCodesMax(policy),
    chancesPerHourMax,
    chancesPerDayMax: 24 * chancesPerHourMax,
  };
}
