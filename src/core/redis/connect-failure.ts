import { errorMessage } from "../errors.ts";
import { failureLine } from "../failure-line.ts";
import type { RedisConnection } from "./config.ts";
import { replyWords } from "./refusal.ts";

export interface ConnectFailure {
  readonly text: string;
  readonly mend: string;
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
  const reason = replyWords(error);
  const [, text, mend] = failures.find(([pattern]) => pattern.test(reason)) ?? [
    undefined,
    `No answer from {address} ({reason})`,
    connection.tls
      ? "Check REDIS_URL or REDIS_ADDR and the firewall; without TLS it begins with redis://"
      : "Check REDIS_URL or REDIS_ADDR and the firewall; with TLS it begins with rediss://",
  ];
  const { host, port, db } = connection;
  const last = databases === undefined ? undefined : databases - 1;
  const words: Readonly<Record<string, string>> = {
    address: `${host}:${port}`,
    host,
    reason,
    db: String(db),
    bound: last === undefined ? "" : `, only 0 to ${last}`,
    range: last === undefined ? " that it has, such as 0," : ` from 0 to ${last}`,
  };
  const fill = (sentence: string) =>
    sentence.replace(/\{(\w+)\}/g, (_, name: string) => words[name] ?? "");
  return { text: fill(text), mend: fill(mend) };
}

/** The same in one line, as "nothing listens on localhost:6379: start Redis there, or …". */
export function connectFailureLine(
  error: unknown,
  connection: RedisConnection,
  databases?: number,
): string {
  return failureLine(describeConnectFailure(error, connection, databases));
}
