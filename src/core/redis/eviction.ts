import { isInstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RedisClient } from "./client.ts";
import { parseInfo } from "./server-info.ts";

/**
 * Warns when this Redis may throw keys away under memory pressure, which whoever keeps promises in
 * it cannot bear. A Redis that does not answer now, or tells nobody its settings, is not asked again.
 */
export async function warnOfEviction(redis: RedisClient, log: Log): Promise<void> {
  try {
    const info = parseInfo(await redis.run((client) => client.info("memory")));
    const policy = info.get("maxmemory_policy");
    if (policy === undefined || policy === "noeviction") return;
    const mend = "set maxmemory-policy noeviction";
    log.warn({ redis: redis.address, policy, mend }, "Redis may forget what was sent");
  } catch (error) {
    if (!isInstantError(error)) throw error;
  }
}
