import { coreErrors, InstantError } from "../../core/errors.ts";
import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import type { Clock } from "../../core/time.ts";
import { subjectOf } from "../auth-deps.ts";
import nowText from "../redis-now.lua" with { type: "text" };
import type { CodeRule } from "./code-rules.ts";
import { applyRule, codeCalls } from "./code-rules.ts";
import type { CodePolicy, CodeStore } from "./code-store.ts";
import readText from "./redis-read.lua" with { type: "text" };
import swapText from "./redis-swap.lua" with { type: "text" };

/** The stored state, "" for none, and the server's time when it was read. */
type Seen = readonly [now: number, text: string];

const readScript = redisScript<Seen>(`${nowText}\n${readText}`, { merges: true });
const swapScript = redisScript<1 | Seen>(`${nowText}\n${swapText}`, { merges: true });

/**
 * A swap loses only to another change of the same address, and the address's budgets bound those:
 * with the defaults, 200 wrong codes at once take 6 rounds (10 to 15 ms; as one script, 3 ms), and
 * the worst mix of calls about 30.
 */
const swapsMax = 250;
/**
 * By then the client has given up on the call. So a copy that a frozen server runs later writes
 * nothing, even if the stored text is the same again.
 */
const decisionMsMax = 2_000;

interface RedisCodeStoreOptions {
  readonly policy: CodePolicy;
  /** The prefix of each key: "" in production, unique in a test. */
  readonly keyPrefix?: string;
  /** The server's time when left out; tests set it. */
  readonly clock?: Clock;
}

/**
 * Codes in Redis: `auth:codes:{<SHA-256 of the address>}`, one string of JSON per address. Does not
 * close the client.
 *
 * A call reads, decides by the rules, then compares and swaps: two round trips whatever the state
 * and the outcome, so timing reveals nothing. `prepare` makes the first one while the caller waits
 * for something else. An outcome is final only once the swap has proved that nothing changed since
 * the read, even an outcome without a change: otherwise 200 concurrent guesses would all be
 * compared with a code that the fifth of them locks. A call that loses the race decides again on
 * the winner's state.
 */
export function openRedisCodeStore(redis: RedisClient, options: RedisCodeStoreOptions): CodeStore {
  const { policy, keyPrefix = "", clock } = options;
  const keyOf = (email: string) => `${keyPrefix}auth:codes:{${subjectOf(email)}}`;
  const time = () => clock?.now() ?? "";
  const read = (key: string) => redis.script(readScript, [key], [time()]);

  async function change<T>(key: string, rule: CodeRule<T>, reading = read(key)): Promise<T> {
    let [now, text] = await reading;
    for (let swaps = 0; swaps < swapsMax; swaps += 1) {
      const decided = applyRule(rule, { text, policy, now });
      const decision = [text, now + decisionMsMax, decided.text, decided.endsAt - now];
      const reply = await redis.script(swapScript, [key], [time(), ...decision]);
      if (reply === 1) return decided.outcome;
      [now, text] = reply;
    }
    throw new InstantError(coreErrors.redisUnavailable, {
      detail: `${redis.address}: lost ${swapsMax} compare-and-swap races in a row for the codes of one address`,
    });
  }

  return {
    ...codeCalls(policy, (email, rule) => change(keyOf(email), rule)),
    policy,
    embedded: false,
    prepare: (email) => {
      const key = keyOf(email);
      const reading = read(key);
      reading.catch(() => {}); // the call that follows rejects with it, if there is one
      return codeCalls(policy, (_, rule) => change(key, rule, reading));
    },
    ping: (ping) => redis.ping(ping),
  };
}
