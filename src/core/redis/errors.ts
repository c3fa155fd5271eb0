import { coreErrors, errorMessage, failureLine, InstantError, isInstantError } from "../errors.ts";
import type { RedisConnection } from "./config.ts";

/**
 * An error reply that says how this server stands, not what the call did wrong. The call wrote
 * nothing.
 * - `elsewhere`: another server takes the writes now (a fail-over, a wrong address), or this one
 *   takes nobody like us: the name is looked up and connected to anew.
 * - `wait`: the same server will answer in a while: asked again on the same connection.
 * - `again`: this call alone, in a moment.
 * - `unwritable`: it is the right server and it says why it takes no writes; it still answers reads.
 */
export interface Refusal {
  readonly kind: "elsewhere" | "wait" | "again" | "unwritable";
  /** The server's own, from the code on: "READONLY You can't write against a read only replica." */
  readonly reply: string;
}

/** The first word of the reply: Redis' own, Valkey's, and those of a cluster of one shard. */
const kinds: Readonly<Record<string, Refusal["kind"]>> = {
  READONLY: "elsewhere",
  MOVED: "elsewhere",
  REDIRECT: "elsewhere",
  CLUSTERDOWN: "elsewhere",
  MASTERDOWN: "elsewhere",
  NOAUTH: "elsewhere",
  LOADING: "wait",
  BUSY: "wait",
  TRYAGAIN: "again",
  UNBLOCKED: "again",
  MISCONF: "unwritable",
  OOM: "unwritable",
  NOREPLICAS: "unwritable",
};

/**
 * The code is the reply's first word, or follows where a script failed: before Redis 7 as "ERR Error
 * running script (call to f_…): @user_script:1: @user_script: 1: -READONLY You can't write …".
 */
const codePattern = new RegExp(`(?:^|[\\s:])-?(${Object.keys(kinds).join("|")})(?=[\\s:]|$)`);
/** Where in the script it was, which says nothing to who runs the server. */
const scriptPlace = /\s*script: [0-9a-f]{40}.*$/s;
const replyCharsMax = 200;

/** Undefined for any other failure. */
export function findRefusal(error: unknown): Refusal | undefined {
  const message = replyText(error);
  const found = codePattern.exec(message);
  const [whole = "", code = ""] = found ?? [];
  const kind = kinds[code];
  if (found === null || kind === undefined) return undefined;
  const isScriptFailure = /^(?:ERR|@?user_script)/.test(message);
  if (found.index > 0 && !isScriptFailure) return undefined;
  const from = found.index + whole.length - code.length;
  return { kind, reply: message.slice(from) };
}

/** The server said it, not the network or this client. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/** What it said, without the arguments that a server quotes back: they may be a password or a code. */
export function replyText(error: unknown): string {
  return errorMessage(error)
    .replace(scriptPlace, "")
    .replace(/,? with args beginning with.*$/s, "")
    .slice(0, replyCharsMax);
}

/**
 * What a failure of ioredis means, in words. The error itself is not kept as the cause: it carries
 * the command with its arguments, and a log line would show them. A programmer's error stays itself.
 * `trouble`: why there is no connection, where that is known; `refusal`, where the server said it.
 * `details.refusal` then has the server's own words, without its address.
 */
export function classifyRedisError(
  error: unknown,
  address: string,
  {
    trouble,
    refusal,
  }: { readonly trouble?: string | undefined; readonly refusal?: string | undefined } = {},
): Error {
  if (isInstantError(error, coreErrors.redisUnavailable) || error instanceof TypeError)
    return error;
  const reply = findRefusal(error)?.reply;
  const text = reply ?? replyText(error);
  const known = reasons.find(([part]) => text.includes(part))?.[1] ?? text;
  const isCut = known === notConnected;
  const serverReason = isCut ? refusal : (reply ?? (isReply(error) ? text : undefined));
  return new InstantError(coreErrors.redisUnavailable, {
    detail: `${address}: ${isCut ? (trouble ?? known) : known}`,
    ...(serverReason === undefined ? {} : { details: { refusal: serverReason } }),
  });
}

const notConnected = "not connected";

const reasons = [
  [notConnected, notConnected],
  ["Stream isn't writeable", notConnected],
  ["Connection is closed", "the connection was closed"],
  ["Reached the max retries per request", "the connection was lost"],
  ["Command aborted due to connection close", "the connection was lost"],
  ["Socket timeout", "no answer in time"],
  ["Command timed out", "no answer in time"],
] as const;

interface ConnectFailure {
  readonly text: string;
  readonly fix: string;
}

const rightAddress = "Point REDIS_URL or REDIS_ADDR to the master, or to a name that follows it";

/** What a server says that takes no writes now; in its own words, since each has its own cause. */
const refusals: readonly (readonly [RegExp, string, string])[] = [
  [/READONLY/, "It is a replica, which takes no writes ({reason})", rightAddress],
  [/MOVED|REDIRECT/, "It sends to another server ({reason})", rightAddress],
  [/MASTERDOWN/, "It is a replica without its master ({reason})", rightAddress],
  [/CLUSTERDOWN/, "Its cluster is down ({reason})", "Check it: redis-cli CLUSTER INFO"],
  [/LOADING/, "It is still loading its data ({reason})", "Wait until it has; its log says how far"],
  [/BUSY/, "A script keeps it busy ({reason})", "End that script: redis-cli SCRIPT KILL"],
  [/MISCONF/, "It takes no writes ({reason})", "Check its disk and its log"],
  [/OOM/, "Its memory is full ({reason})", "Raise maxmemory, or take other data out of it"],
  [
    /NOREPLICAS/,
    "It has too few replicas ({reason})",
    "Start them, or lower min-replicas-to-write",
  ],
];

const databasePattern = /DB index|SELECT is not allowed/;

/** Redis' and the socket's own words, in the order they are looked for. */
const failures: readonly (readonly [RegExp, string, string])[] = [
  [
    /WRONGPASS|invalid password/,
    "It refused the password",
    "Check REDIS_PASSWORD, or the password in REDIS_URL",
  ],
  [
    /NOAUTH/,
    "It wants a password, and none is set",
    "Set REDIS_PASSWORD, or write it into REDIS_URL: redis://:password@{address}/0",
  ],
  [/NOPERM/, "This user may not do that ({reason})", "Give it the right by ACL SETUSER"],
  [
    databasePattern,
    "It has no database {db}{bound} ({reason})",
    "Set a number{range} in REDIS_DB, or at the end of REDIS_URL",
  ],
  [
    /ECONNREFUSED/,
    "Nothing listens on {address}",
    "Start Redis there (docker-compose up -d redis), or check REDIS_URL or REDIS_ADDR",
  ],
  [
    /ENOTFOUND|EAI_/,
    "The name {host} cannot be resolved",
    "Check REDIS_URL or REDIS_ADDR, and this machine's DNS",
  ],
  [/expired/i, "Its certificate has expired", "Renew the certificate of the Redis server"],
  [
    /self.signed|unable to|altname|issuer|certificate/i,
    "Its certificate is not trusted ({reason})",
    "Put its authority into REDIS_CA_FILE, and use a name of the certificate in REDIS_URL",
  ],
  [
    /RESP type|WRONG_VERSION|Protocol error/,
    "What answers on {address} is not Redis",
    "Check the port in REDIS_URL or REDIS_ADDR",
  ],
  ...refusals,
  [/^ERR\b/, "It refuses the login ({reason})", "Check REDIS_URL or REDIS_ADDR"],
];

export function isMissingDatabase(error: unknown): boolean {
  return databasePattern.test(errorMessage(error));
}

/**
 * What is wrong and the mend, for a failure of ioredis or its message. `databases`: how many the
 * server has, where that is known.
 */
export function describeConnectFailure(
  error: unknown,
  connection: RedisConnection,
  databases?: number,
): ConnectFailure {
  const reason = replyText(error);
  const [, text, fix] = failures.find(([pattern]) => pattern.test(reason)) ?? [
    undefined,
    `No answer from {address} ({reason})`,
    connection.tls
      ? "Check REDIS_URL or REDIS_ADDR and the firewall; without TLS it begins with redis://"
      : "Check REDIS_URL or REDIS_ADDR and the firewall; with TLS it begins with rediss://",
  ];
  const { host, port, db } = connection;
  const last = databases === undefined ? undefined : databases - 1;
  const values: Readonly<Record<string, string>> = {
    address: `${host}:${port}`,
    host,
    reason,
    db: String(db),
    bound: last === undefined ? "" : `, only 0 to ${last}`,
    range: last === undefined ? " that it has, such as 0," : ` from 0 to ${last}`,
  };
  const fill = (sentence: string) =>
    sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
  return { text: fill(text), fix: fill(fix) };
}

/** The same in one line, as "nothing listens on localhost:6379: start Redis there, or …". */
export function connectFailureLine(
  error: unknown,
  connection: RedisConnection,
  databases?: number,
): string {
  return failureLine(describeConnectFailure(error, connection, databases));
}
