import type { ErrorRow } from "../../core/errors.ts";

export const opsErrors = {
  unauthenticated: {
    code: "ops_unauthenticated",
    meaning: "This is for operators: sign in at /login, or send OPS_TOKEN as Authorization: Bearer",
    retryable: false,
    status: 401,
  },
  tooManyTries: {
    code: "ops_too_many_tries",
    meaning: "Too many wrong tokens",
    retryable: true,
    status: 429,
  },
  tooManyWatchers: {
    code: "ops_too_many_watchers",
    meaning: "Too many pages are watching this service at the same time",
    retryable: true,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;
