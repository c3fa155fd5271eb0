import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/scripts.ts";
import { asLedgerError, ledgerTtlMs } from "../ledger/delivery-ledger.ts";
import type { RecentMails, RecipientSecrets } from "./recent-mails.ts";
import { BackgroundWrites, mailsMax, recentMailsKey, recentMailsKeys } from "./recent-mails.ts";
import addText from "./redis-add.lua" with { type: "text" };

interface RedisRecentMailsOptions {
  readonly redis: RedisClient;
  /** Asked for when first needed. */
  readonly secrets: () => RecipientSecrets;
  readonly keyPrefix?: string;
}

const bounds = `local ids_max, ttl_ms = ${mailsMax}, ${ledgerTtlMs}`;
const addScript = redisScript<1>(`${bounds}\n${addText}`, { merges: true });

/**
 * A text of ids per recipient, `email:latest:<hash>`: about 190 bytes for a recipient of one mail. The
 * client sends all commands of one turn of the event loop together, so the entries leave in the same
 * write as the ledger's claims. It uses the client it is given and leaves it open.
 */
export function openRedisRecentMails(options: RedisRecentMailsOptions): RecentMails {
  const { redis, secrets, keyPrefix = "" } = options;
  const writes = new BackgroundWrites();
  return {
    add: (mails) => {
      if (redis.connection === "disconnected") return;
      const { current } = secrets();
      const keys = mails.map(
        ({ recipient }) => `${keyPrefix}email:latest:${recentMailsKey(current, recipient)}`,
      );
      const ids = mails.map(({ messageId }) => messageId);
      writes.add(() => redis.scriptAll(addScript, keys, ids));
    },
    find: (recipient) =>
      asLedgerError(async () => {
        const names = recentMailsKeys(secrets(), recipient);
        const found = await Promise.all(
          names.map((name) =>
            redis.run(async (client) => {
              const latest = await client.get(`${keyPrefix}email:latest:${name}`);
              // Release 0.1 kept a sorted set.
              const earlier = await client.zrevrange(`${keyPrefix}email:recent:${name}`, 0, -1);
              return [...(latest?.split(" ") ?? []), ...earlier];
            }),
          ),
        );
        return [...new Set(found.flat())].slice(0, mailsMax);
      }),
    settled: () => writes.settled(),
  };
}
