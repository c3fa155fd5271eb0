import type { ErrorRow } from "../../core/errors.ts";

export const ledgerErrors = {
  ledgerUnavailable: {
    code: "ledger_unavailable",
    meaning: "The delivery ledger did not answer",
    retryable: true,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;
