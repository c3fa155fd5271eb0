import type { Diagnosis } from "../diagnosis.ts";

const fullWarn = 0.8;
const fullMax = 0.95;

export type RedisInfo = ReadonlyMap<string, string>;

/** The lines `name:value` of INFO. */
export function parseInfo(text: string): RedisInfo {
  const info = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

/**
 * What INFO says about keeping promises; it needs no right to read the configuration. `refusal`:
 * what the server says to a write.
 */
export function diagnoseInfo(diagnosis: Diagnosis, info: RedisInfo, refusal?: string): void {
  diagnoseRole(diagnosis, info, refusal);
  diagnoseEviction(diagnosis, info);
  diagnosePersistence(diagnosis, info);
  diagnoseMemory(diagnosis, info);
}

function diagnoseRole(diagnosis: Diagnosis, info: RedisInfo, refusal: string | undefined): void {
  if (info.get("role") !== "slave") return;
  const said = refusal === undefined ? "" : ` (${refusal})`;
  const text = `It is a replica, which takes no writes${said}`;
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
    diagnosis.ok("redis.eviction", "Forgets nothing before its time (noeviction)");
    return;
  }
  diagnosis.fault(
    "redis.eviction",
    `maxmemory-policy is ${policy}: under pressure it forgets what was sent, and mails go out twice`,
    "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
  );
}

function diagnosePersistence(diagnosis: Diagnosis, info: RedisInfo): void {
  const append = "redis-cli CONFIG SET appendonly yes, and the same in redis.conf";
  if (info.get("aof_enabled") === "1") {
    if (info.get("aof_last_write_status") === "err") {
      const text = "It cannot write its append-only file";
      diagnosis.fault("redis.persistence", text, "Look at its log and at its disk");
      return;
    }
    diagnosis.ok("redis.persistence", "Keeps an append-only file");
    return;
  }
  diagnosis.warn(
    "redis.persistence",
    "Keeps no append-only file: a crash forgets what was sent since the last snapshot",
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
  const mend = own
    ? "Raise maxmemory (redis-cli CONFIG SET maxmemory …), or move to a larger machine"
    : "Move it to a larger machine, or take other data out of it";
  if (share >= fullMax) diagnosis.fault("redis.memory", `${text}: writes are refused soon`, mend);
  else if (share >= fullWarn) diagnosis.warn("redis.memory", text, mend);
  else diagnosis.ok("redis.memory", text);
}

function formatMebibytes(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024;
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}
