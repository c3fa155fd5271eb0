import type { RedisClient } from "../../core/redis/client.ts";
import { redisScript } from "../../core/redis/client.ts";
import { asLedgerError, ledgerTtlMs } from "../ledger/delivery-ledger.ts";
import type { RecentMails, RecipientSecrets } from "./recent-mails.ts";
import { BackgroundWrites, mailsMax, recentMailsKey, recentMailsKeys } from "./recent-mails.ts";
import addText from "./redis-add.lua" with { type: "text" };

interface RedisRecentMailsOptions {
  readonly redis: RedisClient;
  readonly secrets: RecipientSecrets;
  readonly keyPrefix?: string;
}

const addScript = redisScript<number>(addText, { merges: true });

/**
 * A sorted set per recipient, `email:recent:<hash>`: about 200 bytes for a recipient of one mail. An
 * entry leaves in the same write as the ledger's claim, since the client sends all commands of one
 * turn of the event loop together. It uses the client it is given and leaves it open.
 */
export function openRedisRecentMails(options: RedisRecentMailsOptions): RecentMails {
  const { redis, secrets, keyPrefix = "" } = options;
  const named = (key: string) => `${keyPrefix}email:recent:${key}`;
  const writes = new BackgroundWrites();
  return {
    add: (recipient, messageId) => {
      if (redis.connection === "disconnected") return;
      const key = named(recentMailsKey(secrets.current, recipient));
      const args = [messageId, mailsMax, ledgerTtlMs];
      writes.add(() => redis.script(addScript, [key], args));
    },
    find: (recipient) =>
      asLedgerError(async () => {
        const keys = recentMailsKeys(secrets, recipient).map(named);
        const found = await Promise.all(
          keys.map((key) => redis.run((client) => client.zrevrange(key, 0, -1))),
        );
        return [...new Set(found.flat())].slice(0, mailsMax);
      }),
    settled: () => writes.settled(),
  };
}
