import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/script.ts";
import { asLedgerError, ledgerTtlMs } from "../ledger/delivery-ledger.ts";
import type { RecentMails, RecipientSecrets } from "./recent-mails.ts";
import { BackgroundWrites, recentMailKeys, recentMailsMax } from "./recent-mails.ts";
import noteText from "./redis-add.lua" with { type: "text" };

interface RedisRecentMailsOptions {
  readonly redis: RedisClient;
  readonly secrets: RecipientSecrets;
  readonly keyPrefix?: string;
}

const addScript = redisScript<number>(noteText, { merges: true });

/**
 * A sorted set per recipient, `email:recent:<hash>`: about 200 bytes for a recipient of one mail.
 * A note leaves in the same write as the ledger's claim, since the client sends in one what one turn
 * of the event loop asks for. It uses the client it is given and leaves it open.
 */
export function openRedisRecentMails(options: RedisRecentMailsOptions): RecentMails {
  const { redis, secrets, keyPrefix = "" } = options;
  const keys = (recipient: string) =>
    recentMailKeys(secrets, recipient).map((key) => `${keyPrefix}email:recent:${key}`);
  const writes = new BackgroundWrites();
  return {
    add: (recipient, messageId) => {
      if (redis.connection === "disconnected") return;
      const args = [messageId, recentMailsMax, ledgerTtlMs];
      writes.add(() => redis.script(addScript, keys(recipient).slice(0, 1), args));
    },
    find: (recipient) =>
      asLedgerError(async () => {
        const found = await Promise.all(
          keys(recipient).map((key) => redis.run((client) => client.zrevrange(key, 0, -1))),
        );
        return [...new Set(found.flat())].slice(0, recentMailsMax);
      }),
    settled: () => writes.settled(),
  };
}
