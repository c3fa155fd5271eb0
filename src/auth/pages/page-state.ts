// State between a form and the next page: kept in signed cookies, so that it is in no URL. All tabs
// share them, so a form also carries, signed, whom its page was shown for.
import { z } from "zod";
import type { ErrorRow } from "../../core/errors.ts";
import { InstantError } from "../../core/errors.ts";
import { isSeen } from "../../core/http/client-address.ts";
import type { Cookie } from "../../core/http/cookies.ts";
import { clearCookie, readCookie, writeCookie } from "../../core/http/cookies.ts";
import type { HttpContext } from "../../core/http/problem.ts";
import { signText, verifyText } from "../../core/secret.ts";
import type { AuthDeps } from "../auth-deps.ts";
import { codePurposes } from "../codes/code-store.ts";
import type { SignedIn } from "../session-routes.ts";
import { getSignedIn } from "../session-routes.ts";
import type { DoneName, FailedName } from "./languages/en.ts";
import { english } from "./languages/en.ts";

/** A field of a form (`application/x-www-form-urlencoded`); "" when missing. */
export async function formField(context: HttpContext, name: string): Promise<string> {
  return new URLSearchParams(await context.req.text()).get(name) ?? "";
}

/** A code that was sent and not entered yet. Times in Unix ms. */
const pendingSchema = z.object({
  purpose: z.enum(codePurposes).exclude(["leave_email"]), // entered together with "change_email"
  email: z.string().max(320),
  /** The user who asked for it; undefined for signing in. */
  userId: z.string().optional(),
  /** When another one can be requested. */
  nextAt: z.number(),
  lockedUntil: z.number().optional(),
  /** A random text: by it the same form that is sent twice is recognised. */
  form: z.string().max(64).optional(),
});
export type PendingCode = z.infer<typeof pendingSchema>;

const pendingName = "page_code";
/** How long its page still explains itself after the code has expired. */
const pendingGraceMs = 5 * 60_000;

/** Kept as long as a code is valid, while the address is locked, and until another can be requested. */
export function keepPending(context: HttpContext, deps: AuthDeps, pending: PendingCode): void {
  const { nextAt, lockedUntil = 0 } = pending;
  const waitMs = Math.max(nextAt, lockedUntil) - deps.clock.now();
  const keptMs = Math.max(waitMs, deps.codes.policy.lifetimeMs) + pendingGraceMs;
  const seconds = Math.ceil(keptMs / 1000);
  writeSigned(context, deps, { name: pendingName, value: pending, seconds });
}

export function readPending(context: HttpContext, deps: AuthDeps): PendingCode | undefined {
  const texts = readCookie(context, pageCookie(deps, pendingName));
  const lifeMs = pendingMsMax(deps);
  return verifySigned(deps, texts, { name: pendingName, schema: pendingSchema, lifeMs });
}

function pendingMsMax({ codes: { policy } }: AuthDeps): number {
  const { lifetimeMs, lockMsMax, codesWindowMs } = policy;
  return Math.max(lifetimeMs, lockMsMax, codesWindowMs) + pendingGraceMs;
}

/** Without `pending`: whatever is kept. Another tab may have asked for another code meanwhile. */
export function dropPending(context: HttpContext, deps: AuthDeps, pending?: PendingCode): void {
  const kept = readPending(context, deps);
  if (pending === undefined || kept === undefined || isSameStep(kept, pending)) {
    clearCookie(context, pageCookie(deps, pendingName));
  }
}

function isSameStep(one: PendingCode, other: PendingCode): boolean {
  return (["purpose", "email", "userId"] as const).every((key) => one[key] === other[key]);
}

export const shownForField = "shown_for";
const shownUserSchema = z.object({ userId: z.string() });

/** Whom a page is shown for, to be sent back by its forms: a user, or the recipient of a code. */
export function signShownFor(
  deps: AuthDeps,
  value: PendingCode | { readonly userId: string },
): string {
  return sign(deps, shownForField, value);
}

/**
 * What is pending for the page of this form, if not for the browser: two tabs may wait for codes of
 * two addresses. Undefined: it has expired.
 */
export async function readShownPending(
  context: HttpContext,
  deps: AuthDeps,
): Promise<PendingCode | undefined> {
  const text = await formField(context, shownForField);
  const kept = readPending(context, deps);
  if (text === "") return kept; // a page of an earlier release
  const lifeMs = pendingMsMax(deps);
  const reading = { name: shownForField, schema: pendingSchema, lifeMs };
  const shown = verifySigned(deps, [text], reading);
  return shown !== undefined && kept !== undefined && isSameStep(shown, kept) ? kept : shown;
}

export const accountSwitched: ErrorRow = {
  code: "account_switched",
  meaning: "The page was shown for another account",
  retryable: false,
  status: 409,
};

/**
 * As `getSignedIn`, for a form; throws `account_switched` when its page was shown to another user,
 * who was signed in at the time.
 */
export async function getShownUser(context: HttpContext, deps: AuthDeps): Promise<SignedIn> {
  const signedIn = await getSignedIn(context, deps);
  const text = await formField(context, shownForField);
  const { lifetimeMs: lifeMs } = deps.sessions.policy;
  const reading = { name: shownForField, schema: shownUserSchema, lifeMs };
  const shown = verifySigned(deps, [text], reading);
  if (text === "" || shown?.userId === signedIn.user.id) return signedIn; // "": see above
  throw new InstantError(accountSwitched);
}

const flashPlaces = [
  "sign_in",
  "account",
  "code",
  "current_code",
  "step",
  "username",
  "email",
  "sessions",
  "deletion",
] as const;
export type FlashPlace = (typeof flashPlaces)[number];

const typedCharsMax = 320;

const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) =>
  z.enum(Object.keys(table) as Name[]);

/**
 * The result of a form, shown once on the next page, at `place`: `code` and `current_code` are the
 * codes' fields, `step` the page around them.
 */
const flashSchema = z.object({
  place: z.enum(flashPlaces),
  done: namesOf<DoneName>(english.done).optional(),
  failed: namesOf<FailedName>(english.failed).optional(),
  /** When to try again. */
  until: z.number().optional(),
  /** What was typed, to be corrected. */
  typed: z.string().max(typedCharsMax).optional(),
});
export type Flash = z.infer<typeof flashSchema>;

const flashName = "page_flash";
const flashSeconds = 60;

export function setFlash(context: HttpContext, deps: AuthDeps, flash: Flash): void {
  const typed = flash.typed?.slice(0, typedCharsMax);
  const value = typed === undefined ? flash : { ...flash, typed };
  writeSigned(context, deps, { name: flashName, value, seconds: flashSeconds });
}

/** The requests whose page shows a flash message. */
const showing = new WeakSet<HttpContext>();

/** The flash message, if the page shows it: at one of `places`. */
export function readFlash(
  context: HttpContext,
  deps: AuthDeps,
  ...places: readonly FlashPlace[]
): Flash | undefined {
  const texts = readCookie(context, pageCookie(deps, flashName));
  const lifeMs = flashSeconds * 1000;
  const flash = verifySigned(deps, texts, { name: flashName, schema: flashSchema, lifeMs });
  if (flash === undefined || !places.includes(flash.place)) return undefined;
  showing.add(context);
  return flash;
}

/** Once somebody has seen it. */
export function clearShownFlash(context: HttpContext, deps: AuthDeps): void {
  if (showing.has(context) && context.res.ok && isSeen(context)) {
    clearCookie(context, pageCookie(deps, flashName));
  }
}

interface Written {
  readonly name: string;
  readonly value: object;
  readonly seconds: number;
}

function writeSigned(context: HttpContext, deps: AuthDeps, written: Written): void {
  const { name, value, seconds } = written;
  writeCookie(context, pageCookie(deps, name), sign(deps, name, value), seconds);
}

function pageCookie({ secureCookies: secure }: AuthDeps, name: string): Cookie {
  return { name, secure, sameSite: "Lax" };
}

function sign(deps: AuthDeps, name: string, value: object): string {
  const parts = [Buffer.from(JSON.stringify(value)).toString("base64url")];
  const signing = { purpose: name, parts, signedAt: deps.clock.now() };
  return signText(deps.keys.current.secret, signing);
}

interface Reading<T> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** At most: the browser drops it at the end of its session. */
  readonly lifeMs: number;
}

/** The first of these texts that we signed under this name. */
function verifySigned<T>(
  deps: AuthDeps,
  texts: readonly string[],
  { name, schema, lifeMs }: Reading<T>,
): T | undefined {
  const keys = deps.keys.all.map(({ secret }) => secret);
  for (const text of texts) {
    const verified = verifyText(text, { purpose: name, keys, lifeMs, now: deps.clock.now() });
    if (verified.kind !== "valid") continue;
    const [value = ""] = verified.parts;
    // Signed by us, but perhaps by an earlier version.
    return schema.safeParse(JSON.parse(Buffer.from(value, "base64url").toString())).data;
  }
  return undefined;
}
