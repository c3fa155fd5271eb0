/** One budget as a caller sees it: `quota` uses per `windowSeconds`. */
export interface RateLimitState {
  /** A short name in kebab-case: "codes-per-email". */
  readonly policy: string;
  readonly quota: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Seconds until there is something left again. */
  readonly resetSeconds: number;
}

/** `RateLimit` and `RateLimit-Policy` (IETF draft-ietf-httpapi-ratelimit-headers). */
export function rateLimitHeaders(state: RateLimitState): Readonly<Record<string, string>> {
  const { policy, quota, windowSeconds, remaining, resetSeconds } = state;
  return {
    RateLimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
    "RateLimit-Policy": `"${policy}";q=${quota};w=${windowSeconds}`,
  };
}
