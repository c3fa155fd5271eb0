import { expect } from "bun:test";
import { join } from "node:path";
import type { Hono } from "hono";
import type { AuthAppDeps } from "../../src/auth/app.ts";
import { createAuthApp } from "../../src/auth/app.ts";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import { openRedisCodeStore } from "../../src/auth/codes/redis.ts";
import { openSqliteCodeStore } from "../../src/auth/codes/sqlite.ts";
import type { Limits } from "../../src/auth/limits/limits.ts";
import { openRedisLimits } from "../../src/auth/limits/redis.ts";
import { openSqliteLimits } from "../../src/auth/limits/sqlite.ts";
import { openRedisSessionStore } from "../../src/auth/sessions/redis.ts";
import type { SessionStore } from "../../src/auth/sessions/session-store.ts";
import { openSqliteSessionStore } from "../../src/auth/sessions/sqlite.ts";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { openSqliteUserStore } from "../../src/auth/users/sqlite.ts";
import type { UserStore } from "../../src/auth/users/user-store.ts";
import type { HttpEnvironment } from "../../src/core/http/problem.ts";
import { createLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import type {
  EmailPublisher,
  MailStatus,
  PublishOutcome,
} from "../../src/email/delivery/publisher.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { expectNoSecrets } from "../../support/log-secrets.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import {
  codePolicyDefault,
  limitPolicyDefault,
  sessionPolicyDefault,
} from "../../support/settings.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { FakeClock } from "./fake-clock.ts";

interface SignInStores {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

/** What differs between one process of serve-auth and another on the same stores. */
export type WorldSettings = Partial<
  Pick<
    AuthAppDeps,
    | "codes"
    | "sessions"
    | "users"
    | "keys"
    | "limitPolicy"
    | "reservedUsernames"
    | "boundary"
    | "cookieName"
    | "secureCookies"
    | "refusesLocalhost"
    | "welcomes"
    | "signInNotices"
    | "emailChangeNotices"
    | "onUserDeleted"
    | "onEmailChanged"
    | "furtherOperations"
    | "preferencesPath"
    | "fallbackLanguage"
  >
>;

export interface WorldRequest {
  readonly method?: string;
  /** Sent as JSON; a string as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The Bearer token. */
  readonly token?: string;
  /** The address it comes from. */
  readonly client?: string;
}

export interface SignInWorld extends AsyncDisposable {
  readonly app: Hono<HttpEnvironment>;
  readonly clock: FakeClock;
  readonly publisher: FakePublisher;
  readonly stores: SignInStores;
  readonly lines: string[];
  request(path: string, request?: WorldRequest): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Asks for a code and enters it. */
  signIn(email: string, request?: WorldRequest): Promise<SignedInAnswer>;
  /** Another process on the same stores, perhaps with other settings. */
  restart(settings: WorldSettings): SignInWorld;
}

interface SignedInAnswer {
  readonly token: string;
  readonly user: Readonly<Record<string, unknown>>;
}

export type OpenSignInWorld = (settings?: WorldSettings) => Promise<SignInWorld>;

export const testSecret = "a secret for the sign-in tests, 32+";

export async function openEmbeddedWorld(settings: WorldSettings = {}): Promise<SignInWorld> {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  const clock = new FakeClock();
  const stores = {
    codes: await openSqliteCodeStore(database, { policy: codePolicyDefault, clock }),
    limits: await openSqliteLimits(database, { clock }),
    sessions: await openSqliteSessionStore(database, { policy: sessionPolicyDefault, clock }),
    users: await openSqliteUserStore(database, { clock }),
  };
  return createWorld(stores, clock, settings, async () => {
    await database.close();
    directory[Symbol.dispose]();
  });
}

export async function openServerWorld(
  urls: { readonly redis: string; readonly postgres: string },
  settings: WorldSettings = {},
): Promise<SignInWorld> {
  const { redis, keyPrefix, ...opened } = await openTestRedis(urls.redis);
  const database = await openTestPostgres(urls.postgres);
  const clock = new FakeClock();
  const stores = {
    codes: openRedisCodeStore(redis, { policy: codePolicyDefault, keyPrefix, clock }),
    limits: openRedisLimits(redis, { keyPrefix, clock }),
    sessions: openRedisSessionStore(redis, { policy: sessionPolicyDefault, keyPrefix, clock }),
    users: await openPostgresUserStore(database, { clock }),
  };
  return createWorld(stores, clock, settings, async () => {
    await opened[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
}

function createWorld(
  stores: SignInStores,
  clock: FakeClock,
  settings: WorldSettings,
  dispose: () => Promise<void>,
): SignInWorld {
  const publisher = new FakePublisher();
  const lines: string[] = [];
  const log = createLog({ service: "auth", level: "debug", write: (line) => lines.push(line) });
  const app = createAuthApp({
    ...stores,
    publisher,
    clock,
    log,
    keys: createAuthKeys(testSecret, undefined),
    limitPolicy: limitPolicyDefault,
    reservedUsernames: [],
    boundary: { trustedProxies: [], corsOrigins: [], publicOrigin: undefined },
    appName: "instant",
    cookieName: "session_id",
    secureCookies: false,
    refusesLocalhost: false,
    welcomes: true,
    signInNotices: true,
    emailChangeNotices: true,
    mailLanguages: ["en", "es", "ru"],
    fallbackLanguage: "en",
    onUserDeleted: [],
    onEmailChanged: [],
    ...settings,
  });
  const request = async (path: string, asked: WorldRequest = {}) => {
    const { method = "GET", body, token, client = "192.0.2.1", headers = {} } = asked;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: text }),
    };
    return app.request(path, init, { clientAddress: client });
  };
  const world: SignInWorld = {
    app,
    clock,
    publisher,
    stores,
    lines,
    request,
    post: (path, body, headers = {}) => request(path, { method: "POST", body, headers }),
    signIn: async (email, asked = {}) => {
      const post = { method: "POST", ...asked };
      await request("/auth/request-code", { ...post, body: { email } });
      const body = { email, code: publisher.code };
      const response = await request("/auth/verify-code", { ...post, body });
      if (response.status !== 200) throw new Error(`sign-in: ${await response.text()}`);
      return (await response.json()) as SignedInAnswer;
    },
    restart: (changed) => createWorld(stores, clock, { ...settings, ...changed }, dispose),
    [Symbol.asyncDispose]: async () => {
      expectNoSecrets(lines);
      await dispose();
    },
  };
  return world;
}

/** The engines every sign-in flow is tested on. */
export function signInEngines(): readonly (readonly [string, OpenSignInWorld])[] {
  const redis = findEngine("redis");
  const postgres = findEngine("postgres");
  const embedded = ["SQLite", openEmbeddedWorld] as const;
  if (redis === undefined || postgres === undefined) return [embedded];
  return [
    embedded,
    ["Redis and Postgres", (settings) => openServerWorld({ redis, postgres }, settings)],
  ];
}

/** Keeps the events it is given, and is unavailable when told so. */
class FakePublisher implements EmailPublisher {
  readonly events: EmailEvent[] = [];
  readonly fates = new Map<string, MailStatus>();
  unavailable = false;
  unsupported = false;

  async publish(event: EmailEvent): Promise<PublishOutcome> {
    this.events.push(event);
    if (this.unsupported) return { kind: "unsupported_address" };
    return this.unavailable ? { kind: "unavailable", retryAfterSeconds: 7 } : { kind: "queued" };
  }

  async status(messageId: string): Promise<MailStatus> {
    return this.fates.get(messageId) ?? "unknown";
  }

  /** The newest code that was mailed. */
  get code(): string {
    for (const { eventType, data } of this.events.toReversed()) {
      if (eventType === "verification_code") return data.code;
    }
    throw new Error("no code was mailed");
  }
}

/** The body of an answer that must be a problem: its type, and the id of its request. */
export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem["status"]).toBe(response.status);
  expect(problem["type"]).toBe(`urn:instant:problem:${problem["code"]}`);
  for (const member of ["title", "detail"]) expect(problem[member]).toBeString();
  expect(problem["requestId"]).toBe(response.headers.get("X-Request-Id"));
  return problem;
}
