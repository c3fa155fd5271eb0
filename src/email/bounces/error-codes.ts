import type { ErrorRow } from "../../core/errors.ts";

export const bounceErrors = {
  reporterUnknown: {
    code: "reporter_unknown",
    meaning: "The report is not signed, or not by a secret that is known here",
    retryable: false,
    status: 401,
  },
} as const satisfies Record<string, ErrorRow>;
