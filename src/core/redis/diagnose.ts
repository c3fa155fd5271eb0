import { Redis } from "ioredis";
import type { Clock } from "../clock.ts";
import { systemClock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { Diagnosis } from "../diagnosis.ts";
import { coreErrors } from "../error-codes.ts";
import { errorMessage, isInstantError } from "../errors.ts";
import { probeWrites } from "./availability.ts";
import type { RedisConnection } from "./config.ts";
import { describeConnectFailure, isMissingDatabase } from "./connect-failure.ts";
import type { Refusal } from "./refusal.ts";
import { findRefusal } from "./refusal.ts";
import { diagnoseInfo, parseInfo } from "./server-info.ts";
import { findDatabaseCount, serverOptions } from "./server-options.ts";

const connectTimeoutMs = 3000;
const answerDeadlineMs = 4000;
/** Leases, codes and sessions live by the server's clock, mails by that of who asked for them. */
const skewMsWarn = 2_000;
const skewMsMax = 30_000;

/**
 * Logs in once and looks at what the promises kept in Redis need of it. Reads only; changes nothing.
 * Ends within 8 s.
 */
export async function diagnoseRedis(
  connection: RedisConnection,
  diagnosis: Diagnosis,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<void> {
  const errors: string[] = [];
  const redis = createProbe(connection, errors);
  try {
    if (!(await connect(redis, connection, errors, diagnosis))) return;
    const startedAt = performance.now();
    const info = parseInfo(await redis.info());
    const tookMs = Math.round(performance.now() - startedAt);
    const version = `Redis ${info.get("redis_version") ?? "of an unknown version"}`;
    diagnosis.ok("redis.reachable", `Answers within ${tookMs} ms: ${version}`);
    const refusal = await findWriteRefusal(redis);
    diagnoseInfo(diagnosis, info, refusal?.reply);
    if (info.get("role") !== "slave") diagnoseWrites(refusal, connection, diagnosis);
    if (refusal?.kind === "wait") return; // it answers nothing else now
    await diagnoseScripts(redis, diagnosis);
    await diagnoseClock(redis, clock, diagnosis);
  } catch (error) {
    const { text, mend } = describeConnectFailure(error, connection);
    const check = errorMessage(error).startsWith("NOAUTH") ? "redis.reachable" : "redis.answers";
    diagnosis.fault(check, text, mend);
  } finally {
    redis.disconnect();
  }
}

function createProbe(connection: RedisConnection, errors: string[]): Redis {
  const redis = new Redis({
    ...serverOptions(connection),
    connectionName: "instant-doctor",
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false, // one that loads its data answers INFO, and says so
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    commandTimeout: answerDeadlineMs,
    retryStrategy: () => null,
  });
  redis.on("error", (error: unknown) => {
    errors.push(error instanceof Error ? error.message : String(error));
  });
  return redis;
}

/** False: it failed, and the diagnosis says why. */
async function connect(
  redis: Redis,
  connection: RedisConnection,
  errors: readonly string[],
  diagnosis: Diagnosis,
): Promise<boolean> {
  try {
    await withDeadline("connecting", answerDeadlineMs, redis.connect());
  } catch (error) {
    // ioredis' rejection only says that the connection is closed; why was said before.
    const silent = isInstantError(error, coreErrors.deadlineExceeded);
    const reason = errors[0] ?? (silent ? "no answer in time" : error);
    const { text, mend } = describeConnectFailure(reason, connection);
    diagnosis.fault("redis.reachable", text, mend);
    return false;
  }
  const [refused] = errors; // a database that is not there closes nothing
  if (refused === undefined) return true;
  const databases = isMissingDatabase(refused) ? await findDatabaseCount(connection) : undefined;
  const { text, mend } = describeConnectFailure(refused, connection, databases);
  diagnosis.fault("redis.reachable", text, mend);
  return false;
}

/** What the server says to a write that would change nothing; undefined when it takes it. */
async function findWriteRefusal(redis: Redis): Promise<Refusal | undefined> {
  try {
    await probeWrites(redis);
    return undefined;
  } catch (error) {
    const refusal = findRefusal(error);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

function diagnoseWrites(
  refusal: Refusal | undefined,
  connection: RedisConnection,
  diagnosis: Diagnosis,
): void {
  if (refusal === undefined) return;
  const { text, mend } = describeConnectFailure(refusal.reply, connection);
  diagnosis.fault("redis.writes", text, mend);
}

async function diagnoseScripts(redis: Redis, diagnosis: Diagnosis): Promise<void> {
  try {
    await redis.eval("return 1", 0);
  } catch (error) {
    if (findRefusal(error) !== undefined) return; // said above
    const reason = errorMessage(error);
    const mend = "Let this user run scripts: ACL SETUSER <user> +@scripting, or take another user";
    diagnosis.fault("redis.scripts", `Scripts may not be run (${reason})`, mend);
  }
}

async function diagnoseClock(redis: Redis, clock: Clock, diagnosis: Diagnosis): Promise<void> {
  const askedAt = clock.now();
  const [seconds = 0, micros = 0] = await redis.time();
  const now = (askedAt + clock.now()) / 2;
  const skewMs = Number(seconds) * 1000 + Number(micros) / 1000 - now;
  const size = Math.abs(skewMs);
  if (size < skewMsWarn) {
    diagnosis.ok("redis.clock", "Its clock and that of this machine agree");
    return;
  }
  const direction = skewMs > 0 ? "ahead of" : "behind";
  const text = `Its clock is ${Math.round(size / 1000)} s ${direction} this machine's`;
  const mend = "Let both machines keep time by NTP (timedatectl shows whether one does)";
  if (size < skewMsMax) diagnosis.warn("redis.clock", text, mend);
  else diagnosis.fault("redis.clock", `${text}: codes expire at the wrong time`, mend);
}
