import { openRedisRecentMails } from "../../src/email/recent-mails/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { recentMailsContract } from "../contract/recent-mails.ts";

const url = findEngine("redis");
if (url !== undefined) {
  recentMailsContract("RecentMails in Redis", async () => {
    const { redis, keyPrefix, keys, ...test } = await openTestRedis(url);
    return {
      open: async (secrets) => openRedisRecentMails({ redis, keyPrefix, secrets }),
      dump: async () => {
        const all = await keys();
        const found = all.map((key) => redis.run((client) => client.zrange(key, "0", "-1")));
        return JSON.stringify([all, await Promise.all(found)]);
      },
      livesMs: async () => redis.run(async (client) => client.pttl((await keys())[0] ?? "")),
      tick: () => Bun.sleep(2), // the scores are the server's milliseconds
      [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
    };
  });
}
