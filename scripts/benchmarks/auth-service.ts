import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { openRedisAt } from "../../support/own-redis.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { sessionPolicyDefault } from "../../support/settings.ts";
import { openBacklog } from "./drain.ts";
import type { Served } from "./processes.ts";
import { serve } from "./processes.ts";
import type { Stage } from "./stage.ts";

/** What serve-auth needs: topics, an empty Redis, a schema of its own. */
interface AuthGround extends AsyncDisposable {
  /** For serve-auth, and for serve-email beside it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Signs a user in; resolves with the session's token. */
  signIn(): Promise<string>;
}

export async function openAuthGround(stage: Stage): Promise<AuthGround> {
  await using stack = new AsyncDisposableStack();
  const database = await stage.database();
  const backlog = stack.use(await openBacklog(stage));
  const redis = stack.use(await stage.openRedis());
  const postgres = stack.use(await openTestPostgres(database));
  const kept = stack.move();
  return {
    environment: {
      ...backlog.environment,
      KAFKA_CONSUMER_GROUP: backlog.topic,
      REDIS_URL: redis.url,
      DATABASE_URL: database,
      DB_SCHEMA: postgres.schema,
      AUTH_SECRET: crypto.randomUUID(),
      EMAIL_SECRET: crypto.randomUUID(),
      // Not the defaults: one run requests more codes than an hour may have, and the load is a
      // trusted proxy, since each of its requests names a client IP of its own.
      AUTH_CODES_GLOBAL: "100000",
      TRUSTED_PROXIES: "127.0.0.1/32",
    },
    signIn: async () => {
      await using client = await openRedisAt(redis.url);
      const users = await openPostgresUserStore(postgres);
      const { user } = await users.signIn({ email: "bench@example.com", username: undefined });
      const sessions = openRedisSessionStore(client, { policy: sessionPolicyDefault });
      return (await sessions.create({ userId: user.id, device: "a benchmark" })).token;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The built serve-auth; resolves when it answers. */
export function startAuth(stage: Stage, { environment }: AuthGround): Promise<Served> {
  return serve(stage, {
    command: [stage.program, "serve-auth"],
    portVariable: "AUTH_SERVICE_PORT",
    path: "/livez",
    environment,
  });
}
