import type { ConfigProblem, ConfigValues } from "../core/config.ts";
import { setting } from "../core/config.ts";
import type { CodePolicy } from "./codes/code-store.ts";
import type { LimitPolicy } from "./limits/limits.ts";
import type { SessionPolicy } from "./sessions/session-store.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const quotaMax = 100_000;

/** The window of a quota above those of one address. */
function windowField(quota: string) {
  const name = `${quota}_WINDOW`;
  return setting.duration({
    name,
    fallback: "1h",
    minMs: minuteMs,
    maxMs: dayMs,
    doc: `See ${quota}.`,
  });
}

export const authFields = {
  port: setting.port({
    name: "AUTH_SERVICE_PORT",
    fallback: "8080",
    doc: "Port of the sign-in API and pages; 0: any free port.",
  }),
  bind: setting.text({
    name: "AUTH_SERVICE_BIND",
    charsMax: 255,
    fallback: "127.0.0.1",
    doc: "Address to listen on. The default is local only: put a TLS proxy in front of it; use 0.0.0.0 in a container.",
  }),
  secret: setting.secret({
    name: "AUTH_SECRET",
    charsMin: 32,
    doc: "Codes are derived from it, and it signs the pages' cookies, known devices and the links that undo a change of address. Outside production one is generated into DATA_DIR.",
  }),
  secretPrevious: setting.secret({
    name: "AUTH_SECRET_PREVIOUS",
    charsMin: 32,
    doc: "The former AUTH_SECRET, until the codes derived from it have expired (AUTH_CODE_LIFETIME). How to rotate: docs/security.md.",
  }),
  codeLifetimeMs: setting.duration({
    name: "AUTH_CODE_LIFETIME",
    fallback: "10m",
    minMs: minuteMs,
    maxMs: hourMs,
    doc: "How long a code is valid.",
  }),
  codeRepeatWindowMs: setting.duration({
    name: "AUTH_CODE_REPEAT_WINDOW",
    fallback: "1m",
    minMs: 0,
    maxMs: 10 * minuteMs,
    doc: "How long further requests repeat the same code and message. Must be shorter than AUTH_CODE_LIFETIME.",
  }),
  codeRepeatsMax: setting.integer({
    name: "AUTH_CODE_REPEATS",
    fallback: "5",
    min: 0,
    max: 100,
    doc: "How many repeats are allowed within AUTH_CODE_REPEAT_WINDOW.",
  }),
  codesMax: setting.integer({
    name: "AUTH_CODES_PER_EMAIL",
    fallback: "5",
    min: 1,
    max: 100,
    doc: "New codes per address in each AUTH_CODES_WINDOW. All other spellings of its mailbox (ana+shop@example.com) get twice as many together; all of them through one network (an IPv4 /24, an IPv6 /48) four times as many in a day.",
  }),
  codesWindowMs: setting.duration({
    name: "AUTH_CODES_WINDOW",
    fallback: "1h",
    minMs: minuteMs,
    maxMs: dayMs,
    doc: "See AUTH_CODES_PER_EMAIL.",
  }),
  attemptsMax: setting.integer({
    name: "AUTH_ATTEMPTS_PER_EMAIL",
    fallback: "5",
    min: 1,
    max: 20,
    doc: "Wrong codes per address in each AUTH_ATTEMPTS_WINDOW; the last one locks the address. After twice as many in a day from one network, each further one there needs a new code.",
  }),
  attemptsWindowMs: setting.duration({
    name: "AUTH_ATTEMPTS_WINDOW",
    fallback: "15m",
    minMs: minuteMs,
    maxMs: dayMs,
    doc: "See AUTH_ATTEMPTS_PER_EMAIL.",
  }),
  lockMs: setting.duration({
    name: "AUTH_LOCK",
    fallback: "15m",
    minMs: minuteMs,
    maxMs: dayMs,
    doc: "How long the first lock of an address lasts; each further lock within 24 h lasts twice as long as the previous one.",
  }),
  lockMsMax: setting.duration({
    name: "AUTH_LOCK_MAX",
    fallback: "1h",
    minMs: minuteMs,
    maxMs: dayMs,
    doc: "The longest lock. Must be at least AUTH_LOCK.",
  }),
  codesPerClient: setting.integer({
    name: "AUTH_CODES_PER_CLIENT",
    fallback: "60",
    min: 1,
    max: quotaMax,
    doc: "Codes that a client (an IPv4 address, the /64 of an IPv6 address) may request in each AUTH_CODES_PER_CLIENT_WINDOW, for any addresses. Its IPv6 /56 may request twice as many, its IPv4 /24 or IPv6 /48 ten times as many. Set TRUSTED_PROXIES, or everybody behind your proxy counts as one client.",
  }),
  codesPerClientWindowMs: windowField("AUTH_CODES_PER_CLIENT"),
  codesGlobal: setting.integer({
    name: "AUTH_CODES_GLOBAL",
    fallback: "10000",
    min: 1,
    max: quotaMax,
    doc: "Codes that all clients together may request in each AUTH_CODES_GLOBAL_WINDOW. The last quarter is for networks that have requested fewer than 5. Beyond that, only known devices get one: set it well above your busiest hour, and below what your mail server may send.",
  }),
  codesGlobalWindowMs: windowField("AUTH_CODES_GLOBAL"),
  attemptsPerClient: setting.integer({
    name: "AUTH_ATTEMPTS_PER_CLIENT",
    fallback: "60",
    min: 1,
    max: quotaMax,
    doc: "Wrong codes that a client may enter in each AUTH_ATTEMPTS_PER_CLIENT_WINDOW, for any addresses; the networks around it as many times more as in AUTH_CODES_PER_CLIENT.",
  }),
  attemptsPerClientWindowMs: windowField("AUTH_ATTEMPTS_PER_CLIENT"),
  attemptsGlobal: setting.integer({
    name: "AUTH_ATTEMPTS_GLOBAL",
    fallback: "10000",
    min: 1,
    max: quotaMax,
    doc: "Wrong codes that all clients together may enter in each AUTH_ATTEMPTS_GLOBAL_WINDOW. The last quarter is for networks that have entered none. Beyond that, a code is accepted only from the network that requested it, and on known devices.",
  }),
  attemptsGlobalWindowMs: windowField("AUTH_ATTEMPTS_GLOBAL"),
  reservedUsernames: setting.list({
    name: "AUTH_RESERVED_USERNAMES",
    itemPattern: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?$/,
    item: "acme",
    doc: "Usernames that nobody may choose, besides admin, root, support and the like.",
  }),
  sessionIdleMs: setting.duration({
    name: "AUTH_SESSION_IDLE",
    fallback: "168h",
    minMs: 5 * minuteMs,
    maxMs: 365 * dayMs,
    doc: "A session ends when it has not been used for this long.",
  }),
  sessionLifetimeMs: setting.duration({
    name: "AUTH_SESSION_LIFETIME",
    fallback: "720h",
    minMs: 5 * minuteMs,
    maxMs: 365 * dayMs,
    doc: "A session ends this long after sign-in, even if it is in use. Must be at least AUTH_SESSION_IDLE.",
  }),
  sessionsMax: setting.integer({
    name: "AUTH_SESSIONS_PER_USER",
    fallback: "100",
    min: 1,
    max: 1000,
    doc: "Sessions that a user may have at once; a further sign-in ends the least recently used one.",
  }),
  deviceLifetimeMs: setting.duration({
    name: "AUTH_DEVICE_LIFETIME",
    fallback: "4320h",
    minMs: dayMs,
    maxMs: 400 * dayMs,
    doc: "How long a device is known after a sign-in on it, so that nobody else's wrong codes can lock it out: docs/security.md. Browsers keep cookies for 400 days at most.",
  }),
  cookieName: setting.pattern({
    name: "AUTH_COOKIE_NAME",
    fallback: "session_id",
    pattern: /^(?!__|page_|known_device$)[\w-]{1,64}$/,
    shape:
      "1 to 64 letters, digits, - and _, beginning with neither __ nor page_, and not known_device",
    doc: "Name of the session's cookie, for a host that is shared with other applications. In production it is prefixed with __Host-.",
  }),
  welcomeMail: setting.flag({
    name: "AUTH_WELCOME_MAIL",
    fallback: "true",
    doc: "Whether to send a welcome mail on the first sign-in.",
  }),
  signInNotice: setting.flag({
    name: "AUTH_SIGN_IN_NOTICE",
    fallback: "true",
    doc: "Whether to notify a user by mail of a sign-in on a device that is not known: on which nobody has signed in to the account before.",
  }),
  emailChangeNotice: setting.flag({
    name: "AUTH_EMAIL_CHANGE_NOTICE",
    fallback: "true",
    doc: "Whether to notify the old address by mail when a user changes to another one, with a link that undoes the change for 72 hours. `false`: a change cannot be undone.",
  }),
} as const;

type AuthValues = ConfigValues<typeof authFields>;

/** Problems between the values of several variables. */
export function checkAuth(values: AuthValues): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const need = (isValid: boolean, name: string, problem: string) => {
    if (!isValid) problems.push({ name, problem });
  };
  need(
    values.codeRepeatWindowMs < values.codeLifetimeMs,
    "AUTH_CODE_REPEAT_WINDOW",
    "must be shorter than AUTH_CODE_LIFETIME",
  );
  need(values.lockMsMax >= values.lockMs, "AUTH_LOCK_MAX", "must be at least AUTH_LOCK");
  need(
    values.sessionLifetimeMs >= values.sessionIdleMs,
    "AUTH_SESSION_LIFETIME",
    "must be at least AUTH_SESSION_IDLE",
  );
  need(
    values.secretPrevious === undefined || values.secret !== undefined,
    "AUTH_SECRET_PREVIOUS",
    "is set without AUTH_SECRET",
  );
  return problems;
}

export function resolveCodePolicy(values: AuthValues): CodePolicy {
  return {
    lifetimeMs: values.codeLifetimeMs,
    repeatWindowMs: values.codeRepeatWindowMs,
    repeatsMax: values.codeRepeatsMax,
    codesMax: values.codesMax,
    codesWindowMs: values.codesWindowMs,
    attemptsMax: values.attemptsMax,
    attemptsWindowMs: values.attemptsWindowMs,
    lockMs: values.lockMs,
    lockMsMax: values.lockMsMax,
    lockMemoryMs: dayMs,
    deviceLifetimeMs: values.deviceLifetimeMs,
  };
}

export function resolveSessionPolicy(values: AuthValues): SessionPolicy {
  return {
    idleMs: values.sessionIdleMs,
    lifetimeMs: values.sessionLifetimeMs,
    touchEveryMs: minuteMs,
    perUserMax: values.sessionsMax,
  };
}

const usernamesPerHourMax = 10;

/** The budgets of a mailbox are those of an address times a few: nobody needs to set them apart. */
export function resolveLimitPolicy(values: AuthValues): LimitPolicy {
  return {
    codesPerClient: { quota: values.codesPerClient, windowMs: values.codesPerClientWindowMs },
    codesPerMailbox: { quota: 2 * values.codesMax, windowMs: values.codesWindowMs },
    codesPerNetworkAndMailbox: { quota: 4 * values.codesMax, windowMs: dayMs },
    codesGlobal: { quota: values.codesGlobal, windowMs: values.codesGlobalWindowMs },
    attemptsPerClient: {
      quota: values.attemptsPerClient,
      windowMs: values.attemptsPerClientWindowMs,
    },
    attemptsPerNetworkAndMailbox: { quota: 2 * values.attemptsMax, windowMs: dayMs },
    attemptsGlobal: { quota: values.attemptsGlobal, windowMs: values.attemptsGlobalWindowMs },
    usernamesPerUser: { quota: usernamesPerHourMax, windowMs: hourMs },
  };
}
