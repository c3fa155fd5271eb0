import type { RedisClient } from "../../core/redis/client.ts";
import type { RedisScript } from "../../core/redis/script.ts";
import { redisScript } from "../../core/redis/script.ts";
import type { Clock } from "../../core/time.ts";
import { subjectOf } from "../keys.ts";
import nowText from "../redis-now.lua" with { type: "text" };
import type { CodePolicy } from "./code-policy.ts";
import { liveCodesMax } from "./code-policy.ts";
import type { CodeStore, IssueOutcome, VerifyOutcome } from "./code-store.ts";
import eachText from "./redis-each.lua" with { type: "text" };
import forgetText from "./redis-forget.lua" with { type: "text" };
import issueText from "./redis-issue.lua" with { type: "text" };
import refundText from "./redis-refund.lua" with { type: "text" };
import stateText from "./redis-state.lua" with { type: "text" };
import verifyText from "./redis-verify.lua" with { type: "text" };

const createScript = (text: string) =>
  redisScript<string>([nowText, stateText, text, eachText].join("\n"), { merges: true });
const forgetScript = createScript(forgetText);
const issueScript = createScript(issueText);
const refundScript = createScript(refundText);
const verifyScript = createScript(verifyText);

interface RedisCodeStoreOptions {
  readonly policy: CodePolicy;
  /** Before each key: "" in production, something of its own in a test. */
  readonly keyPrefix?: string;
  /** The server's time when left out; given in tests, which move it. */
  readonly clock?: Clock;
}

/**
 * Codes in Redis: `auth:codes:{<SHA-256 of the address>}`, one string of JSON per address, each
 * call one step on that key. Does not close the client it is given.
 */
export function openRedisCodeStore(redis: RedisClient, options: RedisCodeStoreOptions): CodeStore {
  const { policy, keyPrefix = "", clock } = options;
  const policyText = JSON.stringify({ ...policy, liveCodesMax: liveCodesMax(policy) });

  async function run<T>(
    script: RedisScript<string>,
    { email, ...request }: { readonly email: string },
  ): Promise<T> {
    const key = `${keyPrefix}auth:codes:{${subjectOf(email)}}`;
    const args = [clock?.now() ?? "", policyText, JSON.stringify(request)];
    return JSON.parse(await redis.script(script, [key], args)) as T;
  }

  return {
    policy,
    embedded: false,
    issue: (request) => run<IssueOutcome>(issueScript, request),
    refund: async (request) => {
      await run(refundScript, request);
    },
    verify: (request) => run<VerifyOutcome>(verifyScript, request),
    forget: async (email) => {
      await run(forgetScript, { email });
    },
    ping: (ping) => redis.ping(ping),
  };
}
