import { InstantError, unreachable } from "../core/errors.ts";
import type { HttpContext } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import type { Log } from "../core/log.ts";
import { authErrors } from "./error-codes.ts";
import type { RequestCodeOutcome } from "./request-code.ts";
import type { SpentBudget } from "./spent-budget.ts";
import { spentResponse } from "./spent-response.ts";

/** What every call that asks for a code answers, whatever the code is for. */
export function requestedResponse(
  context: HttpContext,
  outcome: RequestCodeOutcome,
  log: Log,
): Response {
  switch (outcome.kind) {
    case "sent": {
      const requestId = context.get("requestId");
      log.info({ messageID: outcome.messageId, requestId }, "Verification code requested");
      return context.json({ message: "verification code sent to your email" });
    }
    case "spent":
      return spentResponse(context, rowOf(outcome.spent, authErrors.tooManyCodes), outcome.spent);
    case "unavailable": {
      const { retryAfterSeconds } = outcome;
      throw new InstantError(authErrors.mailUnavailable, { details: { retryAfterSeconds } });
    }
    case "unsupported_address":
      return problemResponse(context, authErrors.addressUnsupported, {
        errors: [{ field: "email", message: "must have only ASCII characters before the @" }],
      });
    default:
      return unreachable(outcome);
  }
}

/** 429 to an entry of a code of which nothing was compared. */
export function spentTriesResponse(context: HttpContext, spent: SpentBudget): Response {
  return spentResponse(context, rowOf(spent, authErrors.tooManyTries), spent);
}

/** What one address spent has a row of its own; above it, somebody made too many requests. */
function rowOf(
  { scope }: SpentBudget,
  ofAddress: typeof authErrors.tooManyCodes | typeof authErrors.tooManyTries,
) {
  return /-(?:per-client|in-all)$/.test(scope) ? authErrors.tooManyRequests : ofAddress;
}
