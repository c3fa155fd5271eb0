import { coreErrors } from "../error-codes.ts";
import { errorMessage, InstantError, isInstantError } from "../errors.ts";

/**
 * What a failure of ioredis means, in words. The error itself is not kept as the cause: it carries
 * the command with its arguments, and a log line would show them. A programmer's error stays itself.
 * `trouble`: why there is no connection, where that is known.
 */
export function classifyRedisError(error: unknown, address: string, trouble?: string): Error {
  if (isInstantError(error, coreErrors.redisUnavailable) || error instanceof TypeError)
    return error;
  const words = errorMessage(error);
  const known = reasons.find(([part]) => words.includes(part))?.[1] ?? words;
  const reason = known === notConnected ? (trouble ?? known) : known;
  return new InstantError(coreErrors.redisUnavailable, { detail: `${address}: ${reason}` });
}

const notConnected = "not connected";

const reasons = [
  ["Stream isn't writeable", notConnected],
  ["Connection is closed", "the connection was closed"],
  ["Reached the max retries per request", "the connection was lost"],
  ["Command aborted due to connection close", "the connection was lost"],
  ["Socket timeout", "no answer in time"],
  ["Command timed out", "no answer in time"],
] as const;
