import type { ConfigProblem, ConfigValues } from "../config.ts";
import { namesSeveralHosts, readAuthorities, setting } from "../config.ts";

export const redisFields = {
  url: setting.url({
    name: "REDIS_URL",
    protocols: ["redis:", "rediss:"],
    explain: explainRedisUrl,
    secret: true,
    example: "redis://:password@localhost:6379/0",
    doc: "URL of Redis, with user, password and database, as in redis://user:password@host:6379/0; rediss:// for TLS. Unset (and no REDIS_ADDR): the embedded SQLite file.",
  }),
  address: setting.address({
    name: "REDIS_ADDR",
    portDefault: 6379,
    doc: "Redis as host:port, instead of REDIS_URL.",
  }),
  password: setting.secret({
    name: "REDIS_PASSWORD",
    doc: "Password of the Redis at REDIS_ADDR.",
  }),
  db: setting.integer({
    name: "REDIS_DB",
    min: 0,
    max: 9999,
    fallback: "0",
    doc: "Database number in the Redis at REDIS_ADDR.",
  }),
  caFile: setting.text({
    name: "REDIS_CA_FILE",
    example: "/etc/ssl/redis-ca.pem",
    doc: "PEM file of the authority that signed Redis' certificate, for a rediss:// REDIS_URL. Unset: the public authorities.",
  }),
} as const;

export interface RedisConnection {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly tls: boolean;
  /** PEM text of the authorities to trust instead of the public ones. */
  readonly ca?: string | undefined;
}

/** For people: "localhost:6379/0". */
export function redisAddress({ host, port, db }: RedisConnection): string {
  return `${host}:${port}/${db}`;
}

/**
 * Where Redis is; undefined when no address is set, which means the embedded engine. Settings that
 * do not fit together are pushed to `problems`.
 */
export function resolveRedis(
  config: ConfigValues<typeof redisFields>,
  problems: ConfigProblem[],
): RedisConnection | undefined {
  const { url, address, password, db, caFile } = config;
  if (url !== undefined && address !== undefined) {
    problems.push({ name: "REDIS_URL", problem: "and REDIS_ADDR are both set; keep one of them" });
    return undefined;
  }
  if (url !== undefined) {
    const place = "belongs to REDIS_ADDR; put it into REDIS_URL instead";
    if (password !== undefined) problems.push({ name: "REDIS_PASSWORD", problem: place });
    if (db !== 0) problems.push({ name: "REDIS_DB", problem: place });
    const connection = parseRedisUrl(url, problems);
    return connection === undefined ? undefined : trusting(connection, caFile, problems);
  }
  if (caFile !== undefined) problems.push({ name: "REDIS_CA_FILE", problem: onlyWithTls });
  if (address === undefined) {
    if (password !== undefined) {
      const problem = "is set, but neither REDIS_ADDR nor REDIS_URL is";
      problems.push({ name: "REDIS_PASSWORD", problem });
    }
    return undefined;
  }
  return { ...address, username: undefined, password, db, tls: false };
}

const onlyWithTls =
  "is only used with TLS; set a REDIS_URL that begins with rediss://, or unset it";

function trusting(
  connection: RedisConnection,
  caFile: string | undefined,
  problems: ConfigProblem[],
): RedisConnection | undefined {
  if (caFile === undefined) return connection;
  if (!connection.tls) {
    problems.push({ name: "REDIS_CA_FILE", problem: onlyWithTls });
    return undefined;
  }
  const ca = readAuthorities("REDIS_CA_FILE", caFile, problems);
  return ca === undefined ? undefined : { ...connection, ca };
}

function parseRedisUrl(text: string, problems: ConfigProblem[]): RedisConnection | undefined {
  const url = new URL(text);
  checkParameters(url.searchParams, problems);
  const db = /^\/?(\d{0,4})$/.exec(url.pathname)?.[1];
  const username = decode(url.username);
  const password = decode(url.password);
  if (db === undefined || url.hostname === "" || username === undefined || password === undefined) {
    const problem =
      "must look like redis://user:password@host:6379/0, with a number as the database";
    problems.push({ name: "REDIS_URL", problem });
    return undefined;
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || 6379),
    username: username || undefined,
    password: password || undefined,
    db: Number(db),
    tls: url.protocol === "rediss:",
  };
}

/** Forms that other programs accept and this one does not. */
function explainRedisUrl(text: string): string | undefined {
  if (/^(?:unix|redis-socket|rediss?\+(?:unix|socket)):/.test(text) || text.startsWith("/")) {
    return "names a Unix socket; give the TCP address of Redis, as redis://host:6379/0";
  }
  if (/^rediss?[+-](?:sentinel|cluster):/.test(text)) {
    return "names a Sentinel or cluster; give the address that follows the master, as redis://host:6379/0";
  }
  if (namesSeveralHosts(text)) {
    return "names several hosts; give one, or a name that follows the master";
  }
  return undefined;
}

/** Parameters that providers and other clients add; they change nothing here. */
const ignoredParameters = new Set([
  "family",
  "protocol",
  "timeout",
  "socket_timeout",
  "connect_timeout",
  "ssl_cert_reqs",
  "client_name",
  "max_connections",
]);

function checkParameters(parameters: URLSearchParams, problems: ConfigProblem[]): void {
  for (const [name, value] of parameters) {
    if (ignoredParameters.has(name)) continue;
    const problem =
      name === "ssl" || name === "tls"
        ? value === "false"
          ? undefined
          : `has ${name}=…; a URL for TLS begins with rediss://`
        : `has ${name}=…, which is unknown here; user, password and database belong in the URL itself`;
    if (problem !== undefined) problems.push({ name: "REDIS_URL", problem });
  }
}

/** Undefined when the percent-encoding is invalid. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
