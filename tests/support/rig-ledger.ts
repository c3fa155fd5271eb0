import type { SqliteDatabase } from "../../src/core/sqlite/database.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import { openRedisDeliveryLedger } from "../../src/email/ledger/redis.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import type { RecentMails } from "../../src/email/recent-mails/recent-mails.ts";
import { openRedisRecentMails } from "../../src/email/recent-mails/redis.ts";
import { openSqliteRecentMails } from "../../src/email/recent-mails/sqlite.ts";
import { openTestRedis } from "./redis-prefix.ts";

export interface RigLedger {
  readonly ledger: DeliveryLedger;
  readonly recentMails: RecentMails;
}

const secrets = { current: "a secret of the test, which is long enough", previous: undefined };

/** The ledger of a rig and the index beside it, on the Redis at `redis` or on a file. */
export async function openRigLedger(
  redis: string | undefined,
  stack: AsyncDisposableStack,
  file: () => Promise<SqliteDatabase>,
): Promise<RigLedger> {
  if (redis === undefined) {
    const database = await file();
    const recentMails = await openSqliteRecentMails({ database, secrets });
    return { ledger: stack.use(await openSqliteDeliveryLedger({ database })), recentMails };
  }
  const { redis: client, keyPrefix } = stack.use(await openTestRedis(redis));
  const recentMails = openRedisRecentMails({ redis: client, keyPrefix, secrets });
  stack.defer(() => recentMails.settled());
  const ledger = stack.use(openRedisDeliveryLedger({ redis: client, keyPrefix }));
  return { ledger, recentMails };
}
