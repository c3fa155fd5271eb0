import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import { sessionPolicyDefault } from "../../src/auth/sessions/session-store.ts";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { openRedisAt } from "../../support/own-redis.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import type { Backlog } from "./backlog.ts";
import { openBacklog } from "./backlog.ts";
import { EmailService } from "./email-service.ts";
import type { Served } from "./served.ts";
import { serve } from "./served.ts";
import type { Stage } from "./stage.ts";

/** What serve-auth stands on: the topics, an empty Redis, a schema of its own. */
export interface AuthGround extends AsyncDisposable {
  readonly redis: OwnRedis;
  readonly backlog: Backlog;
  /** For serve-auth, and serve-email beside it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Signs somebody in; the token of the session. */
  signIn(): Promise<string>;
}

/**
 * Settings that are not the defaults: the limit of all clients together is as high as it goes, as a
 * run asks for more codes than anybody's hour; and the load is believed to be a proxy, as each of
 * its requests says that it comes from a client of its own.
 */
const room = { AUTH_CODES_GLOBAL: "100000", TRUSTED_PROXIES: "127.0.0.1/32" };

export async function openAuthGround(stage: Stage): Promise<AuthGround> {
  await using stack = new AsyncDisposableStack();
  const [kafka, database] = [await stage.kafka(), await stage.database()];
  const backlog = stack.use(await openBacklog(kafka));
  const redis = stack.use(await stage.openRedis());
  const postgres = stack.use(await openTestPostgres(database));
  const kept = stack.move();
  return {
    ...{ redis, backlog },
    environment: {
      KAFKA_BROKERS: kafka,
      KAFKA_TOPIC_EMAIL_EVENTS: backlog.events,
      KAFKA_TOPIC_EMAIL_DLQ: backlog.deadLetters,
      KAFKA_CONSUMER_GROUP: backlog.events,
      REDIS_URL: redis.url,
      DATABASE_URL: database,
      DB_SCHEMA: postgres.schema,
      AUTH_SECRET: crypto.randomUUID(),
      EMAIL_SECRET: crypto.randomUUID(),
      ...room,
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
export function startAuth(
  stage: Stage,
  ground: AuthGround,
  environment: Readonly<Record<string, string>> = {},
): Promise<Served> {
  return serve(stage, {
    command: [stage.program, "serve-auth"],
    portVariable: "AUTH_SERVICE_PORT",
    path: "/livez",
    environment: { ...ground.environment, ...environment },
  });
}

/** The built serve-email beside it. */
export async function startEmail(
  stage: Stage,
  { redis, backlog, environment }: AuthGround,
  further: Readonly<Record<string, string>> = {},
): Promise<EmailService> {
  return await EmailService.start(stage, {
    ...{ kafka: await stage.kafka(), redis: redis.url, backlog, group: backlog.events },
    environment: { ...environment, ...further },
  });
}
