import type { Explanation, FailureRow } from "../errors.ts";
import {
  coreErrors,
  errorMessage,
  explainFailure,
  InstantError,
  isInstantError,
} from "../errors.ts";
import type { RedisConnection } from "./config.ts";

/**
 * An error reply about the state of the server, not about the call, which wrote nothing.
 * - `elsewhere`: another server is the master (a fail-over, a wrong address), or this one requires
 *   another login. The name has to be resolved and connected to again.
 * - `wait`: this server will answer in a while, on the same connection.
 * - `again`: only this call has to be repeated, in a moment.
 * - `unwritable`: the right server, but it rejects writes and gives the reason; reads still work.
 */
export interface Refusal {
  readonly kind: "elsewhere" | "wait" | "again" | "unwritable";
  /** The server's message, starting with the code: "READONLY You can't write against a …". */
  readonly reply: string;
}

/** By the first word of the reply: of Redis, of Valkey, and of a cluster of one shard. */
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
/** The position in the script, which is useless to operators. */
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

/** Whether the error is the server's, rather than of the network or this client. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/** The server's message without quoted arguments, which may contain a password or a code. */
export function replyText(error: unknown): string {
  return errorMessage(error)
    .replace(scriptPlace, "")
    .replace(/,? with args beginning with.*$/s, "")
    .slice(0, replyCharsMax);
}

/**
 * A failure of ioredis → our error; a programmer error is returned unchanged. The ioredis error is
 * not set as the cause: it contains the command with its arguments, which a log line would show.
 * `trouble`: why there is no connection, if known; `refusal`: the same when the server itself
 * refused. `details.refusal` has the server's message, without its address.
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
  const isDisconnected = known === notConnected;
  const serverReason = isDisconnected ? refusal : (reply ?? (isReply(error) ? text : undefined));
  return new InstantError(coreErrors.redisUnavailable, {
    detail: `${address}: ${isDisconnected ? (trouble ?? known) : known}`,
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

const rightAddress = "Point REDIS_URL or REDIS_ADDR to the master, or to a name that follows it";

/** Refusals, with the server's message. */
const refusals: readonly FailureRow[] = [
  [/READONLY/, "It is a replica, which rejects writes ({reason})", rightAddress],
  [/MOVED|REDIRECT/, "It redirects to another server ({reason})", rightAddress],
  [/MASTERDOWN/, "It is a replica that lost its master ({reason})", rightAddress],
  [/CLUSTERDOWN/, "Its cluster is down ({reason})", "Check it: redis-cli CLUSTER INFO"],
  [
    /LOADING/,
    "It is still loading its data ({reason})",
    "Wait until it has; its log shows the progress",
  ],
  [/BUSY/, "It is busy running a script ({reason})", "Stop that script: redis-cli SCRIPT KILL"],
  [/MISCONF/, "It rejects writes ({reason})", "Check its disk and its log"],
  [/OOM/, "Its memory is full ({reason})", "Raise maxmemory, or move other data out of it"],
  [
    /NOREPLICAS/,
    "It has too few replicas ({reason})",
    "Start them, or lower min-replicas-to-write",
  ],
];

const databasePattern = /DB index|SELECT is not allowed/;

/** By the message of Redis or the socket; the first match counts. */
const failures: readonly FailureRow[] = [
  [
    /WRONGPASS|invalid password/,
    "It refused the password",
    "Check REDIS_PASSWORD, or the password in REDIS_URL",
  ],
  [
    /NOAUTH/,
    "It requires a password, and none is set",
    "Set REDIS_PASSWORD, or put it into REDIS_URL: redis://:password@{address}/0",
  ],
  [/NOPERM/, "This user may not do that ({reason})", "Grant it by ACL SETUSER"],
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
    "Name its authority's file in REDIS_CA_FILE, and use a host name of the certificate in REDIS_URL",
  ],
  [
    /RESP type|WRONG_VERSION|Protocol error/,
    "Whatever answers on {address} is not Redis",
    "Check the port in REDIS_URL or REDIS_ADDR",
  ],
  ...refusals,
  [/^ERR\b/, "It refuses the login ({reason})", "Check REDIS_URL or REDIS_ADDR"],
];

export function isMissingDatabase(error: unknown): boolean {
  return databasePattern.test(errorMessage(error));
}

/**
 * What is wrong and how to fix it, for a failure of ioredis or its message. `databases`: how many the
 * server has, if known.
 */
export function describeConnectFailure(
  error: unknown,
  { host, port, db, tls }: RedisConnection,
  databases?: number,
): Explanation {
  const reason = replyText(error);
  const row = failures.find(([pattern]) => pattern.test(reason)) ?? (tls ? silentTls : silent);
  const last = databases === undefined ? undefined : databases - 1;
  return explainFailure(row, {
    address: `${host}:${port}`,
    host,
    reason,
    db: String(db),
    bound: last === undefined ? "" : `, only 0 to ${last}`,
    range: last === undefined ? " that it has, such as 0," : ` from 0 to ${last}`,
  });
}

const noAnswer = "No answer from {address} ({reason})";
const checkAddress = "Check REDIS_URL or REDIS_ADDR and the firewall";
const silent: FailureRow = [/^/, noAnswer, `${checkAddress}; with TLS it begins with rediss://`];
const silentTls: FailureRow = [
  /^/,
  noAnswer,
  `${checkAddress}; without TLS it begins with redis://`,
];
