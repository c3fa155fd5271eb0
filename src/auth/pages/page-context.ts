import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import type { HttpContext } from "../../core/http/environment.ts";
import { equalConstantTime, hmacText } from "../../core/secret.ts";
import type { Clock } from "../../core/time.ts";
import type { CodePolicy } from "../codes/code.ts";
import { codePurposes } from "../codes/code.ts";
import type { CookieSettings } from "../current-session.ts";
import { clearSessionCookie, sessionTokens } from "../current-session.ts";
import type { AuthKeys } from "../keys.ts";
import type { DoneName, FailedName } from "./messages.ts";
import { messages } from "./messages.ts";

/** What all pages need, whichever it is. */
export interface PageDeps extends CookieSettings {
  readonly appName: string;
  readonly clock: Clock;
  /** Sign what a browser keeps between two pages. */
  readonly keys: AuthKeys;
  readonly codePolicy: CodePolicy;
  /** PUBLIC_URL's, whose forms are ours too. */
  readonly publicOrigin: string | undefined;
  /** The page on which whoever has this address chooses which mails come; undefined: there is none. */
  readonly preferencesPath: ((email: string) => string) | undefined;
  /** Where mails can be read on a developer's machine; undefined where they are sent. */
  readonly inboxUrl: () => string | undefined;
}

/** A code that was sent and is not entered yet. Times in Unix ms. */
const pendingSchema = z.object({
  purpose: z.enum(codePurposes),
  email: z.string().max(320),
  /** When asking for another one makes sense. */
  nextAt: z.number(),
  lockedUntil: z.number().optional(),
});
export type PendingCode = z.infer<typeof pendingSchema>;

const flashPlaces = [
  "sign_in",
  "code",
  "step",
  "username",
  "email",
  "sessions",
  "deletion",
] as const;
export type FlashPlace = (typeof flashPlaces)[number];

/** What a browser keeps between a form and the next page, signed, so that no URL has to carry it. */

const typedCharsMax = 320;

const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) =>
  z.enum(Object.keys(table) as Name[]);

/**
 * What became of a form: shown once, on the next page, at its place. `code` is the field of the code,
 * `step` the whole page around it.
 */
const flashSchema = z.object({
  place: z.enum(flashPlaces),
  done: namesOf<DoneName>(messages.done).optional(),
  failed: namesOf<FailedName>(messages.failed).optional(),
  /** When trying again makes sense. */
  until: z.number().optional(),
  /** What was typed, to be corrected. */
  typed: z.string().max(typedCharsMax).optional(),
});
export type Flash = z.infer<typeof flashSchema>;

const pendingSeconds = 15 * 60;
const flashSeconds = 60;
const pendingName = "page_code";
const flashName = "page_flash";

export function readPending(context: HttpContext, deps: PageDeps): PendingCode | undefined {
  return readSigned(context, deps, pendingName, pendingSchema);
}

/** Kept for 15 min, and while the address is locked. */
export function keepPending(context: HttpContext, deps: PageDeps, pending: PendingCode): void {
  const lockedMs = Math.max(0, (pending.lockedUntil ?? 0) - deps.clock.now());
  const seconds = pendingSeconds + Math.ceil(lockedMs / 1000);
  writeSigned(context, deps, { name: pendingName, value: pending, seconds });
}

export function dropPending(context: HttpContext, deps: PageDeps): void {
  deleteCookie(context, pendingName, attributes(deps));
}

export function readFlash(context: HttpContext, deps: PageDeps): Flash | undefined {
  return readSigned(context, deps, flashName, flashSchema);
}

/** Once it was shown. */
export function clearFlash(context: HttpContext, deps: PageDeps): void {
  if (getCookie(context, flashName) !== undefined) {
    deleteCookie(context, flashName, attributes(deps));
  }
}

export function setFlash(context: HttpContext, deps: PageDeps, flash: Flash): void {
  const typed = flash.typed?.slice(0, typedCharsMax);
  const value = typed === undefined ? flash : { ...flash, typed };
  writeSigned(context, deps, { name: flashName, value, seconds: flashSeconds });
}

interface Written {
  readonly name: string;
  readonly value: object;
  readonly seconds: number;
}

function writeSigned(context: HttpContext, deps: PageDeps, written: Written): void {
  const { name, value, seconds } = written;
  const text = Buffer.from(JSON.stringify(value)).toString("base64url");
  const signature = sign(deps.keys.current.secret, name, text);
  setCookie(context, name, `${text}.${signature}`, { ...attributes(deps), maxAge: seconds });
}

function readSigned<T>(
  context: HttpContext,
  { keys }: PageDeps,
  name: string,
  schema: z.ZodType<T>,
): T | undefined {
  const [text = "", signature = ""] = (getCookie(context, name) ?? "").split(".");
  const signed = keys.all.some(({ secret }) => {
    return equalConstantTime(sign(secret, name, text), signature);
  });
  if (!signed) return undefined;
  // Ours, but perhaps of an earlier version of ours.
  return schema.safeParse(JSON.parse(Buffer.from(text, "base64url").toString())).data;
}

function sign(secret: string, name: string, text: string): string {
  return hmacText(secret, "base64url", "page-cookie", name, text);
}

function attributes({ secureCookies }: CookieSettings) {
  return { path: "/", httpOnly: true, sameSite: "Lax", secure: secureCookies } as const;
}

/** A field of a form as browsers send one (`application/x-www-form-urlencoded`); "" without it. */
export async function formField(context: HttpContext, name: string): Promise<string> {
  return new URLSearchParams(await context.req.text()).get(name) ?? "";
}

/** To the first page, for who is not signed in; whoever was is told so. */
export function toSignIn(context: HttpContext, deps: PageDeps): Response {
  if (sessionTokens(context).length > 0) {
    clearSessionCookie(context, deps);
    setFlash(context, deps, { place: "sign_in", failed: "unauthenticated" });
  }
  return context.redirect("/", 303);
}
