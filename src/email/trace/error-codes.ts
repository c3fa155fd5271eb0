import type { ErrorRow } from "../../core/errors.ts";

export const traceErrors = {
  mailUnknown: {
    code: "mail_unknown",
    meaning:
      "No mail of this message_id is known: it was not consumed yet, or it is forgotten (after 24 h)",
    retryable: false,
    status: 404,
  },
} as const satisfies Record<string, ErrorRow>;
