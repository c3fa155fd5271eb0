// The cookie by which a device is known for an address: set at sign-in, and kept at sign-out.
import { readCookie, writeCookie } from "../core/http/cookies.ts";
import type { HttpContext } from "../core/http/problem.ts";
import { signText, verifyText } from "../core/secret.ts";
import type { AuthDeps } from "./auth-deps.ts";

type DeviceDeps = Pick<AuthDeps, "codes" | "keys" | "clock" | "secureCookies">;

/** People who share a browser are each known in it; one more replaces the oldest. */
const tokensMax = 5;
/** Of several cookies of the name, which other hosts of the domain may have set. */
const tokensReadMax = 10;
const separator = "~";
const tokenShape = /^[\w-]{1,64}\.[0-9a-z]{1,9}\.[\w-]{43}$/;

/**
 * The id of the device that sent this request, if somebody has signed in to the address on it. The
 * store knows whether it has been forgotten since.
 */
export function deviceOf(
  context: HttpContext,
  deps: DeviceDeps,
  email: string,
): string | undefined {
  for (const token of tokensOf(context, deps)) {
    const id = idOf(token, deps, email);
    if (id !== undefined) return id;
  }
  return undefined;
}

interface KeptDevice {
  readonly email: string;
  /** The id of the session that the store remembers. */
  readonly id: string;
  /** The user's former address. */
  readonly formerEmail?: string;
}

/** Sets the cookie after a sign-in. */
export function keepDevice(context: HttpContext, deps: DeviceDeps, kept: KeptDevice): void {
  const { email, id, formerEmail = email } = kept;
  const signing = { purpose: purposeOf(email), parts: [id], signedAt: deps.clock.now() };
  const token = signText(deps.keys.current.secret, signing);
  const others = tokensOf(context, deps).filter((one) => {
    return ![email, formerEmail].some((address) => idOf(one, deps, address) !== undefined);
  });
  writeTokens(context, deps, [token, ...others]);
}

/** Drops the address from the cookie, once the store has forgotten the device. */
export function dropDevice(context: HttpContext, deps: DeviceDeps, email: string): void {
  const tokens = tokensOf(context, deps);
  const others = tokens.filter((token) => idOf(token, deps, email) === undefined);
  if (others.length < tokens.length) writeTokens(context, deps, others);
}

/** One for each address; only with the address can anybody tell, by the signature, whose it is. */
function tokensOf(context: HttpContext, deps: DeviceDeps): readonly string[] {
  const texts = readCookie(context, deviceCookie(deps)).flatMap((text) => text.split(separator));
  return texts.filter((text) => tokenShape.test(text)).slice(0, tokensReadMax);
}

function writeTokens(context: HttpContext, deps: DeviceDeps, tokens: readonly string[]): void {
  const seconds = tokens.length === 0 ? 0 : deps.codes.policy.deviceLifetimeMs / 1000;
  const text = tokens.slice(0, tokensMax).join(separator);
  writeCookie(context, deviceCookie(deps), text, Math.floor(seconds));
}

function idOf(token: string, { codes, keys, clock }: DeviceDeps, email: string) {
  const verified = verifyText(token, {
    purpose: purposeOf(email),
    keys: keys.all.map(({ secret }) => secret),
    lifeMs: codes.policy.deviceLifetimeMs,
    now: clock.now(),
  });
  return verified.kind === "valid" ? verified.parts[0] : undefined;
}

/** The address is signed and not contained: the cookie does not reveal it. */
function purposeOf(email: string): string {
  return `device of ${email}`;
}

function deviceCookie({ secureCookies: secure }: DeviceDeps) {
  return { name: "known_device", secure, sameSite: "Lax" } as const;
}
