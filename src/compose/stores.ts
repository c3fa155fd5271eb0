import type { CodeStore } from "../auth/codes/code-store.ts";
import { openRedisCodeStore } from "../auth/codes/redis.ts";
import { openSqliteCodeStore } from "../auth/codes/sqlite.ts";
import { resolveCodePolicy, resolveSessionPolicy } from "../auth/config.ts";
import type { Limits } from "../auth/limits/limits.ts";
import { openRedisLimits } from "../auth/limits/redis.ts";
import { openSqliteLimits } from "../auth/limits/sqlite.ts";
import { openRedisSessionStore } from "../auth/sessions/redis.ts";
import type { SessionStore } from "../auth/sessions/session-store.ts";
import { openSqliteSessionStore } from "../auth/sessions/sqlite.ts";
import { openPostgresUserStore } from "../auth/users/postgres.ts";
import { openSqliteUserStore } from "../auth/users/sqlite.ts";
import type { UserStore } from "../auth/users/user-store.ts";
import { openPostgresPreferenceStore } from "../email/preferences/postgres.ts";
import type { PreferenceStore } from "../email/preferences/preference-store.ts";
import { openSqlitePreferenceStore } from "../email/preferences/sqlite.ts";
import { openPostgresSuppressionStore } from "../email/suppressions/postgres.ts";
import { openSqliteSuppressionStore } from "../email/suppressions/sqlite.ts";
import type { SuppressionStore } from "../email/suppressions/suppression-store.ts";
import type { Engines } from "./engines.ts";

export interface AuthStores {
  readonly codes: CodeStore;
  readonly limits: Limits;
  readonly sessions: SessionStore;
  readonly users: UserStore;
}

/** The stores of serve-auth, each on the engine that is configured. */
export async function openAuthStores(engines: Engines): Promise<AuthStores> {
  const { auth } = engines.config;
  const codePolicy = resolveCodePolicy(auth);
  const sessionPolicy = resolveSessionPolicy(auth);
  const redis = await engines.redis();
  const users = await openUsers(engines);
  if (redis !== undefined) {
    return {
      codes: openRedisCodeStore(redis, { policy: codePolicy }),
      limits: openRedisLimits(redis),
      sessions: openRedisSessionStore(redis, { policy: sessionPolicy }),
      users,
    };
  }
  const state = await engines.file("state");
  return {
    codes: await openSqliteCodeStore(state, { policy: codePolicy }),
    limits: await openSqliteLimits(state),
    sessions: await openSqliteSessionStore(state, { policy: sessionPolicy }),
    users,
  };
}

async function openUsers(engines: Engines): Promise<UserStore> {
  const postgres = await engines.postgres();
  if (postgres === undefined) return openSqliteUserStore(await engines.file("users"));
  return openPostgresUserStore(postgres);
}

export interface RecipientStores {
  readonly preferences: PreferenceStore;
  readonly suppressions: SuppressionStore;
}

/** The stores about recipients, whether or not they are users. Opened once. */
export function openRecipientStores(engines: Engines): Promise<RecipientStores> {
  return engines.remember("recipient stores", () => open(engines));
}

async function open(engines: Engines): Promise<RecipientStores> {
  const postgres = await engines.postgres();
  if (postgres === undefined) {
    const file = await engines.file("users");
    return {
      preferences: await openSqlitePreferenceStore(file),
      suppressions: await openSqliteSuppressionStore(file),
    };
  }
  const [preferences, suppressions] = await Promise.all([
    openPostgresPreferenceStore(postgres),
    openPostgresSuppressionStore(postgres),
  ]);
  return { preferences, suppressions };
}
