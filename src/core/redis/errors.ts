import { coreErrors } from "../error-codes.ts";
import { InstantError, isInstantError } from "../errors.ts";
import { findRefusal, isReply, replyWords } from "./refusal.ts";

/**
 * What a failure of ioredis means, in words. The error itself is not kept as the cause: it carries
 * the command with its arguments, and a log line would show them. A programmer's error stays itself.
 * `trouble`: why there is no connection, where that is known; `refusal`, where the server said it.
 * `details.refusal` then has the server's own words, without its address.
 */
export function classifyRedisError(
  error: unknown,
  address: string,
  {
    trouble,
    refusal,
  }: { readonly trouble?: string | undefined; readonly refusal?: string | undefined } = {},
): Error {
  if (isInstantError(error, coreErrors.redisUnavailable) || error instanceof TypeError)
    return error;
  const reply = findRefusal(error)?.reply;
  const words = reply ?? replyWords(error);
  const known = reasons.find(([part]) => words.includes(part))?.[1] ?? words;
  const isCut = known === notConnected;
  const said = isCut ? refusal : (reply ?? (isReply(error) ? words : undefined));
  return new InstantError(coreErrors.redisUnavailable, {
    detail: `${address}: ${isCut ? (trouble ?? known) : known}`,
    ...(said === undefined ? {} : { details: { refusal: said } }),
  });
}

const notConnected = "not connected";

const reasons = [
  [notConnected, notConnected],
  ["Stream isn't writeable", notConnected],
  ["Connection is closed", "the connection was closed"],
  ["Reached the max retries per request", "the connection was lost"],
  ["Command aborted due to connection close", "the connection was lost"],
  ["Socket timeout", "no answer in time"],
  ["Command timed out", "no answer in time"],
] as const;
