import { join } from "node:path";
import type { Hono } from "hono";
import { createAuthApp } from "../../src/auth/app.ts";
import type { AuthKeys } from "../../src/auth/auth-keys.ts";
import { createAuthKeys } from "../../src/auth/auth-keys.ts";
import { codePolicyDefault } from "../../src/auth/codes/code-policy.ts";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { openSqliteCodeStore } from "../../src/auth/codes/sqlite.ts";
import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import type { SessionStore } from "../../src/auth/sessions/session-store.ts";
import { sessionPolicyDefault } from "../../src/auth/sessions/session-store.ts";
import { openSqliteSessionStore } from "../../src/auth/sessions/sqlite.ts";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { openSqliteUserStore } from "../../src/auth/users/sqlite.ts";
import type { UserStore } from "../../src/auth/users/user-store.ts";
import type { HttpEnvironment } from "../../src/core/http/environment.ts";
import { createLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakePublisher } from "./fake-publisher.ts";
import { openTestPostgres } from "./postgres-schema.ts";
import { openTestRedis } from "./redis-prefix.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface SignInStores {
  readonly codes: CodeStore;
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

export interface SignInWorld extends AsyncDisposable {
  readonly app: Hono<HttpEnvironment>;
  readonly clock: FakeClock;
  readonly publisher: FakePublisher;
  readonly stores: SignInStores;
  readonly lines: string[];
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Another process on the same stores, perhaps with other secrets. */
  restart(keys: AuthKeys, production?: boolean): SignInWorld;
}

export type OpenSignInWorld = () => Promise<SignInWorld>;

export const testSecret = "a secret for the sign-in tests, 32+";

export async function openEmbeddedWorld(): Promise<SignInWorld> {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  const clock = new FakeClock();
  const stores = {
    codes: await openSqliteCodeStore(database, { policy: codePolicyDefault, clock }),
    sessions: await openSqliteSessionStore(database, { policy: sessionPolicyDefault, clock }),
    users: await openSqliteUserStore(database, { clock }),
  };
  return createWorld(stores, clock, async () => {
    await database.close();
    directory[Symbol.dispose]();
  });
}

export async function openServerWorld(urls: {
  readonly redis: string;
  readonly postgres: string;
}): Promise<SignInWorld> {
  const { redis, keyPrefix, ...opened } = await openTestRedis(urls.redis);
  const database = await openTestPostgres(urls.postgres);
  const clock = new FakeClock();
  const stores = {
    codes: openRedisCodeStore(redis, { policy: codePolicyDefault, keyPrefix, clock }),
    sessions: openRedisSessionStore(redis, { policy: sessionPolicyDefault, keyPrefix, clock }),
    users: await openPostgresUserStore(database, { clock }),
  };
  return createWorld(stores, clock, async () => {
    await opened[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
}

export function createWorld(
  stores: SignInStores,
  clock: FakeClock,
  dispose: () => Promise<void>,
  { keys = createAuthKeys(testSecret, undefined), production = false } = {},
): SignInWorld {
  const publisher = new FakePublisher();
  const lines: string[] = [];
  const log = createLog({ service: "auth", level: "debug", write: (line) => lines.push(line) });
  const app = createAuthApp({ ...stores, publisher, clock, log, keys, secureCookies: production });
  return {
    app,
    clock,
    publisher,
    stores,
    lines,
    post: async (path, body, headers = {}) =>
      app.request(path, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...headers },
      }),
    restart: (newKeys, newProduction = false) =>
      createWorld(stores, clock, dispose, { keys: newKeys, production: newProduction }),
    [Symbol.asyncDispose]: dispose,
  };
}
