import { networksAround } from "../../core/http/client-address.ts";
import { randomToken } from "../../core/secret.ts";
import { mailboxOf } from "./mailbox.ts";

/**
 * Rate limits: uses are counted over exactly the last `windowMs`, across all processes.
 *
 * Promises, tested by `tests/contract/limits.ts` for every adapter:
 * - `take` is one atomic step: it takes one use from every budget it names, or none from any when
 *   one of them is exhausted. However many run at once, no budget allows more than its quota in any
 *   window, except for uses that were earned.
 * - A refused `take` costs nothing.
 * - Every call may be repeated, at any later time: a use is counted once by its `use` name, and
 *   given back once. (A late copy of a `take` that was given back or has left the window may count
 *   once more.)
 * - Keys do not reveal the subject; uses outside the window are dropped. Times are by the store's
 *   clock. Left out on purpose: closing (a store opens no resources).
 * Throws the engine's own error (`redis_unavailable`, `sqlite_busy`) when it is unavailable.
 */
export interface Limits {
  /** Whether it is a local file rather than a server. */
  readonly embedded: boolean;
  take(request: LimitedUse): Promise<TakeOutcome>;
  giveBack(request: Pick<LimitedUse, "use" | "limits">): Promise<void>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface LimitedUse {
  /** A random name of this use. */
  readonly use: string;
  /** 1 to 10. */
  readonly limits: readonly RateLimit[];
  /** The part of the last budget that is kept for those who have hardly used the one before it. */
  readonly reserved?: ReservedShare;
  /**
   * A use of this budget exempts the next use of the first of `limits`: while its newest use is later
   * than the newest of that one, and within the window of that one, the take is counted and never
   * refused. No more takes than its quota are exempted: a use that is given back later may have
   * exempted one meanwhile.
   */
  readonly earnedBy?: RateLimit;
}

interface ReservedShare {
  /** How much of the last budget's quota. */
  readonly quota: number;
  /** For whom: fewer uses than this of the budget before the last. */
  readonly usesBelow: number;
}

export interface RateLimit extends QuotaPolicy {
  /** The limit's name, in kebab-case: "codes-per-client". */
  readonly scope: string;
  /** What shares the budget: a network, a mailbox, both with a space between them, or "all". */
  readonly subject: string;
}

interface QuotaPolicy {
  readonly quota: number;
  readonly windowMs: number;
}

export type TakeOutcome =
  | { readonly kind: "taken" }
  /** The exhausted budget with the longest wait until its next use, and that wait. */
  | { readonly kind: "rate_limited"; readonly limit: RateLimit; readonly retryAfterMs: number };

/** The key of a budget's uses: it does not reveal the subject. */
export function limitName({ scope, subject }: RateLimit): string {
  return `${scope}:${Bun.SHA256.hash(`instant-limit:${subject}`, "base64url").slice(0, 22)}`;
}

/**
 * The budgets above those of one address, because an attacker who tries many addresses exhausts no
 * address's budget. With the defaults:
 * - a client (an IPv4 address, the /64 of an IPv6 one) requests at most 60 codes and enters at most
 *   60 wrong ones in an hour, its /56 120, its /24 or /48 600 (`networkLimits`), everybody 10,000;
 * - a mailbox is sent at most 10 codes in an hour to addresses with a tag or other dots, besides the 5
 *   to its own; through one network at most 20 in a day. It takes at most 10 wrong codes from one
 *   network in a day.
 * A right code costs nothing, and `limitedAttempt` says why no budget here refuses one.
 */
export interface LimitPolicy {
  readonly codesPerClient: QuotaPolicy;
  readonly codesPerMailbox: QuotaPolicy;
  readonly codesPerNetworkAndMailbox: QuotaPolicy;
  readonly codesGlobal: QuotaPolicy;
  readonly attemptsPerClient: QuotaPolicy;
  readonly attemptsPerNetworkAndMailbox: QuotaPolicy;
  readonly attemptsGlobal: QuotaPolicy;
  readonly usernamesPerUser: QuotaPolicy;
}

export interface LimitedCaller {
  /** The client, as `clientOf` names it. */
  readonly client: string;
  /** The address in canonical form. */
  readonly email: string;
}

/**
 * What a known device takes when it requests a code, besides its own budget: all of them together
 * get as many as all clients.
 */
export function limitedDeviceCode({ codesGlobal }: LimitPolicy): LimitedUse {
  return {
    use: randomToken(9),
    limits: [{ scope: "codes-known-global", subject: "all", ...codesGlobal }],
  };
}

/** The share of a global budget that nobody can exhaust from few networks: a quarter. */
const reservedShare = 1 / 4;
/** A network that has requested fewer codes may take from the reserve: as many as one address may. */
const codesOfNewNetworkMax = 5;

/** What requesting a code takes. */
export function limitedCode(policy: LimitPolicy, { client, email }: LimitedCaller): LimitedUse {
  const networks = networkLimits("codes", client, policy.codesPerClient);
  const mailbox = mailboxOf(email);
  const spellings = { scope: "codes-per-mailbox", subject: mailbox, ...policy.codesPerMailbox };
  return {
    use: randomToken(9),
    limits: [
      ...(mailbox === email ? [] : [spellings]), // the mailbox's own address has its own budget
      perNetworkAndMailbox("codes", networks, mailbox, policy.codesPerNetworkAndMailbox),
      ...networks,
      { scope: "codes-global", subject: "all", ...policy.codesGlobal },
    ],
    reserved: reserveOf(policy.codesGlobal, codesOfNewNetworkMax),
  };
}

/** Of a request's budgets, those that count mails: a request that repeats a mail gives them back. */
export function mailboxLimits({ limits }: LimitedUse): readonly RateLimit[] {
  return limits.filter(({ scope }) => scope.endsWith("mailbox"));
}

/**
 * What entering a code takes; given back if it is right, or was not compared. The first attempt
 * after each code that was requested for the mailbox through the same network is earned: so whoever
 * asked for a code can enter it, unless a neighbour enters a wrong one first. From elsewhere it is
 * taken from the reserve of the global budget, unless that network has entered wrong codes.
 */
export function limitedAttempt(policy: LimitPolicy, { client, email }: LimitedCaller): LimitedUse {
  const networks = networkLimits("attempts", client, policy.attemptsPerClient);
  const mailbox = mailboxOf(email);
  return {
    use: randomToken(9),
    limits: [
      perNetworkAndMailbox("attempts", networks, mailbox, policy.attemptsPerNetworkAndMailbox),
      ...networks,
      { scope: "attempts-global", subject: "all", ...policy.attemptsGlobal },
    ],
    reserved: reserveOf(policy.attemptsGlobal, 1),
    earnedBy: perNetworkAndMailbox("codes", networks, mailbox, policy.codesPerNetworkAndMailbox),
  };
}

/** What asking for a username takes: whether it is free tells who has an account. */
export function limitedUsername(policy: LimitPolicy, { client, email }: LimitedCaller): LimitedUse {
  const networks = networkLimits("usernames", client, policy.attemptsPerClient);
  const perUser = { scope: "usernames-per-user", subject: mailboxOf(email) };
  return {
    use: randomToken(9),
    limits: [{ ...perUser, ...policy.usernamesPerUser }, ...networks],
  };
}

/**
 * The budgets of a client and of the networks around it, the widest last: a household has twice the
 * client's quota, a site ten times as much.
 */
function networkLimits(kind: string, client: string, policy: QuotaPolicy): readonly RateLimit[] {
  const { quota, windowMs } = policy;
  const around = (network: string, clients: number): RateLimit => {
    return { scope: `${kind}-per-network`, subject: network, quota: clients * quota, windowMs };
  };
  const { household, site } = networksAround(client);
  const limits: RateLimit[] = [{ scope: `${kind}-per-client`, subject: client, quota, windowMs }];
  if (household !== undefined) limits.push(around(household, 2));
  if (site !== undefined) limits.push(around(site, 10));
  return limits;
}

function perNetworkAndMailbox(
  kind: string,
  networks: readonly RateLimit[],
  mailbox: string,
  policy: QuotaPolicy,
): RateLimit {
  const subject = `${networks.at(-1)?.subject} ${mailbox}`;
  return { scope: `${kind}-per-network-and-mailbox`, subject, ...policy };
}

function reserveOf({ quota }: QuotaPolicy, usesBelow: number): ReservedShare {
  return { quota: Math.floor(quota * reservedShare), usesBelow };
}
