import { answersRedis, parseUrlAddress } from "./answers.ts";
import { needProgram } from "./packages.ts";
import { choosePort } from "./ports.ts";
import { startDetached } from "./processes.ts";
import type { Recipe } from "./server.ts";

const usualPort = 6379;

/** A ledger may not forget: nothing is evicted, and every write goes to the append-only file. */
const durable = ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""];

export const redis: Recipe = {
  name: "redis",
  usualPort,
  variable: "REDIS_URL",
  findGiven: ({ REDIS_URL }) => (REDIS_URL ? { REDIS_URL } : undefined),
  answers: ({ REDIS_URL = "" }) => answersRedis(parseUrlAddress(REDIS_URL, usualPort)),
  planDocker: (hostPort) => ({
    image: "redis:7.4.2-alpine",
    port: usualPort,
    environment: {},
    command: ["redis-server", ...durable],
    variables: { REDIS_URL: `redis://127.0.0.1:${hostPort}/0` },
  }),
  start: async ({ directory, log, say }) => {
    const program = await needProgram("redis-server", { debian: "redis-server", say });
    const port = await choosePort(usualPort);
    const where = ["--bind", "127.0.0.1", "--port", String(port), "--dir", directory];
    const process = startDetached([program, ...where, ...durable], { log, directory });
    return { variables: { REDIS_URL: `redis://127.0.0.1:${port}/0` }, process };
  },
};
