import { isInstantError } from "../../src/core/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";
import { reserveSchema } from "../../support/postgres-schema.ts";
import { settingsOf } from "./before.ts";
import type { Backlog } from "./drain.ts";
import { openBacklog } from "./drain.ts";
import type { Served } from "./processes.ts";
import { serve } from "./processes.ts";
import type { Stage } from "./stage.ts";

/** What serve-auth needs: topics, an empty Redis, a schema of its own. */
export interface AuthGround extends AsyncDisposable {
  /** For serve-auth, and for serve-email beside it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Signs a user in, as a client does; resolves with the session's token. */
  signIn(auth: Served): Promise<string>;
}

export async function openAuthGround(stage: Stage): Promise<AuthGround> {
  await using stack = new AsyncDisposableStack();
  const database = await stage.database();
  const backlog = stack.use(await openBacklog(stage));
  const redis = stack.use(await stage.openRedis());
  const { schema } = stack.use(reserveSchema(database));
  const kept = stack.move();
  return {
    environment: {
      ...backlog.environment,
      KAFKA_CONSUMER_GROUP: backlog.topic,
      REDIS_URL: redis.url,
      DATABASE_URL: database,
      DB_SCHEMA: schema,
      AUTH_SECRET: crypto.randomUUID(),
      EMAIL_SECRET: crypto.randomUUID(),
      // Not the defaults: one run requests more codes than an hour may have, and the load is a
      // trusted proxy, since each of its requests names a client IP of its own.
      AUTH_CODES_GLOBAL: "100000",
      TRUSTED_PROXIES: "127.0.0.1/32",
    },
    signIn: async ({ url }) => {
      const email = "bench@example.com";
      await post(`${url}/auth/request-code`, { email });
      const code = await readCode(backlog, email);
      const { token } = await post(`${url}/auth/verify-code`, { email, code });
      return String(token);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function post(url: string, body: object): Promise<Readonly<Record<string, unknown>>> {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return JSON.parse(text);
}

/** The code that a mail to this address would have: nothing else says it. */
async function readCode({ brokers, topic }: Backlog, email: string): Promise<string> {
  await using log = await openKafkaLogAt(brokers);
  return await eventually("the code is on the topic", async () => {
    const partitions = await log.offsets(topic).catch((error: unknown) => {
      if (!isInstantError(error) || !error.retryable) throw error; // Kafka may be busy
    });
    for (const { partition, earliest, next } of partitions ?? []) {
      const range = { topic, partition, from: earliest, to: next };
      for await (const { value } of log.readRange(range)) {
        const event = JSON.parse(Buffer.from(value ?? []).toString());
        if (event.recipient === email) return String(event.data.code);
      }
    }
    return undefined;
  });
}

/** The built serve-auth; resolves when it answers. */
export function startAuth(stage: Stage, { environment }: AuthGround): Promise<Served> {
  return serve(stage, {
    command: [stage.program.path, "serve-auth"],
    portVariable: "AUTH_SERVICE_PORT",
    path: "/livez",
    environment: settingsOf(stage.program, environment),
  });
}
