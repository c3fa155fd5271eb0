import type { Redis } from "ioredis";
import type { Diagnosis } from "../diagnosis.ts";
import { coreErrors, errorMessage, isInstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../time.ts";
import { systemClock, withDeadline } from "../time.ts";
import { createProbe, findDatabaseCount, probeWrites } from "./availability.ts";
import type { RedisClient } from "./client.ts";
import type { RedisConnection } from "./config.ts";
import { describeConnectFailure, findRefusal, isMissingDatabase } from "./errors.ts";

const fullWarn = 0.8;
const fullMax = 0.95;

type RedisInfo = ReadonlyMap<string, string>;

/** The lines `name:value` of INFO. */
function parseInfo(text: string): RedisInfo {
  const info = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

function diagnoseRole(diagnosis: Diagnosis, info: RedisInfo, refusal: string | undefined): void {
  if (info.get("role") !== "slave") return;
  const suffix = refusal === undefined ? "" : ` (${refusal})`;
  const text = `It is a replica, which rejects writes${suffix}`;
  diagnosis.fault("redis.role", text, `Point REDIS_URL or REDIS_ADDR to ${masterOf(info)}`);
}

function masterOf(info: RedisInfo): string {
  const host = info.get("master_host");
  return host === undefined ? "its master" : `its master, ${host}:${info.get("master_port")}`;
}

function diagnoseEviction(diagnosis: Diagnosis, info: RedisInfo): void {
  const policy = info.get("maxmemory_policy");
  if (policy === undefined) return;
  if (policy === "noeviction") {
    diagnosis.ok("redis.eviction", "Evicts nothing (noeviction)");
    return;
  }
  diagnosis.fault(
    "redis.eviction",
    `maxmemory-policy is ${policy}: when memory runs short it evicts delivery records, and mails are sent twice`,
    "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
  );
}

function diagnosePersistence(diagnosis: Diagnosis, info: RedisInfo): void {
  const append = "redis-cli CONFIG SET appendonly yes, and the same in redis.conf";
  if (info.get("aof_enabled") === "1") {
    if (info.get("aof_last_write_status") === "err") {
      const text = "It cannot write its append-only file";
      diagnosis.fault("redis.persistence", text, "Check its log and its disk");
      return;
    }
    diagnosis.ok("redis.persistence", "Writes an append-only file");
    return;
  }
  diagnosis.warn(
    "redis.persistence",
    "Writes no append-only file: a crash loses the delivery records since the last snapshot",
    append,
  );
}

function diagnoseMemory(diagnosis: Diagnosis, info: RedisInfo): void {
  const limit = Number(info.get("maxmemory") ?? 0);
  const own = limit > 0;
  const size = own ? limit : Number(info.get("total_system_memory") ?? 0);
  if (size <= 0) return;
  const share = Number(info.get("used_memory") ?? 0) / size;
  const of = own ? "maxmemory" : "the machine's memory";
  const text = `Uses ${Math.round(share * 100)} % of ${of} (${formatMebibytes(size)})`;
  const fix = own
    ? "Raise maxmemory (redis-cli CONFIG SET maxmemory …), or move to a larger machine"
    : "Move it to a larger machine, or move other data out of it";
  if (share >= fullMax)
    diagnosis.fault("redis.memory", `${text}: writes will be refused soon`, fix);
  else if (share >= fullWarn) diagnosis.warn("redis.memory", text, fix);
  else diagnosis.ok("redis.memory", text);
}

function formatMebibytes(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024;
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

const connectTimeoutMs = 3000;
const answerDeadlineMs = 4000;
/** Leases, codes and sessions expire by the server's clock, mails by that of the requester. */
const skewMsWarn = 2_000;
const skewMsMax = 30_000;

/** Logs in once and checks what this program needs. Changes nothing; ends within 8 s. */
export async function diagnoseRedis(
  connection: RedisConnection,
  diagnosis: Diagnosis,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<void> {
  const errors: string[] = [];
  const timeouts = { connectTimeout: connectTimeoutMs, commandTimeout: answerDeadlineMs };
  const redis = createProbe(connection, timeouts);
  redis.on("error", (error: unknown) => errors.push(errorMessage(error)));
  try {
    if (!(await connect(redis, connection, errors, diagnosis))) return;
    const startedAt = performance.now();
    const info = parseInfo(await redis.info());
    const tookMs = Math.round(performance.now() - startedAt);
    const version = `Redis ${info.get("redis_version") ?? "of an unknown version"}`;
    diagnosis.ok("redis.reachable", `Answers within ${tookMs} ms: ${version}`);
    const refusal = await probeWrites(redis);
    diagnoseRole(diagnosis, info, refusal?.reply);
    diagnoseEviction(diagnosis, info);
    diagnosePersistence(diagnosis, info);
    diagnoseMemory(diagnosis, info);
    if (info.get("role") !== "slave" && refusal !== undefined) {
      const { text, fix } = describeConnectFailure(refusal.reply, connection);
      diagnosis.fault("redis.writes", text, fix);
    }
    if (refusal?.kind === "wait") return; // no other command works now
    await diagnoseScripts(redis, diagnosis);
    await diagnoseClock(redis, clock, diagnosis);
  } catch (error) {
    const { text, fix } = describeConnectFailure(error, connection);
    const check = errorMessage(error).startsWith("NOAUTH") ? "redis.reachable" : "redis.answers";
    diagnosis.fault(check, text, fix);
  } finally {
    redis.disconnect();
  }
}

/** False on failure; the diagnosis has the reason. */
async function connect(
  redis: Redis,
  connection: RedisConnection,
  errors: readonly string[],
  diagnosis: Diagnosis,
): Promise<boolean> {
  try {
    await withDeadline("connecting", answerDeadlineMs, redis.connect());
  } catch (error) {
    // ioredis' rejection only says that the connection is closed; the reason came before.
    const silent = isInstantError(error, coreErrors.deadlineExceeded);
    const reason = errors[0] ?? (silent ? "no answer in time" : error);
    const { text, fix } = describeConnectFailure(reason, connection);
    diagnosis.fault("redis.reachable", text, fix);
    return false;
  }
  const [refused] = errors; // a missing database does not close the connection
  if (refused === undefined) return true;
  const databases = isMissingDatabase(refused) ? await findDatabaseCount(connection) : undefined;
  const { text, fix } = describeConnectFailure(refused, connection, databases);
  diagnosis.fault("redis.reachable", text, fix);
  return false;
}

async function diagnoseScripts(redis: Redis, diagnosis: Diagnosis): Promise<void> {
  try {
    await redis.eval("return 1", 0);
  } catch (error) {
    if (findRefusal(error) !== undefined) return; // reported above
    const reason = errorMessage(error);
    const fix =
      "Allow this user to run scripts: ACL SETUSER <user> +@scripting, or use another one";
    diagnosis.fault("redis.scripts", `This user may not run scripts (${reason})`, fix);
  }
}

async function diagnoseClock(redis: Redis, clock: Clock, diagnosis: Diagnosis): Promise<void> {
  const requestedAt = clock.now();
  const [seconds = 0, micros = 0] = await redis.time();
  const now = (requestedAt + clock.now()) / 2;
  const skewMs = Number(seconds) * 1000 + Number(micros) / 1000 - now;
  const size = Math.abs(skewMs);
  if (size < skewMsWarn) {
    diagnosis.ok("redis.clock", "Its clock and that of this machine agree");
    return;
  }
  const direction = skewMs > 0 ? "ahead of" : "behind";
  const text = `Its clock is ${Math.round(size / 1000)} s ${direction} this machine's`;
  const fix = "Synchronize both machines by NTP (timedatectl shows whether one is)";
  if (size < skewMsMax) diagnosis.warn("redis.clock", text, fix);
  else diagnosis.fault("redis.clock", `${text}: codes expire at the wrong time`, fix);
}

/**
 * Warns when this Redis may evict keys, because mails would be sent again. Checked once: there is
 * no warning if Redis does not answer or hides its settings.
 */
export async function warnOfEviction(redis: RedisClient, log: Log): Promise<void> {
  try {
    const info = parseInfo(await redis.run((client) => client.info("memory")));
    const policy = info.get("maxmemory_policy");
    if (policy === undefined || policy === "noeviction") return;
    const fix = "set maxmemory-policy noeviction";
    log.warn({ redis: redis.address, policy, fix }, "Redis may evict delivery records");
  } catch (error) {
    if (!isInstantError(error)) throw error;
  }
}
