// State between a form and the next page: kept in signed cookies, so that it is in no URL.
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import type { HttpContext } from "../../core/http/problem.ts";
import { signText, verifyText } from "../../core/secret.ts";
import type { AuthDeps } from "../auth-deps.ts";
import { codePurposes } from "../codes/code-store.ts";
import { cookieAttributes } from "../session-routes.ts";
import type { DoneName, FailedName } from "./messages.ts";
import { messages } from "./messages.ts";

/** A field of a form (`application/x-www-form-urlencoded`); "" when missing. */
export async function formField(context: HttpContext, name: string): Promise<string> {
  return new URLSearchParams(await context.req.text()).get(name) ?? "";
}

/** A code that was sent and not entered yet. Times in Unix ms. */
const pendingSchema = z.object({
  purpose: z.enum(codePurposes),
  email: z.string().max(320),
  /** When another one can be requested. */
  nextAt: z.number(),
  lockedUntil: z.number().optional(),
});
export type PendingCode = z.infer<typeof pendingSchema>;

const pendingName = "page_code";
const pendingSeconds = 15 * 60;

/** Kept for 15 min, and while the address is locked. */
export function keepPending(context: HttpContext, deps: AuthDeps, pending: PendingCode): void {
  const lockedMs = Math.max(0, (pending.lockedUntil ?? 0) - deps.clock.now());
  const seconds = pendingSeconds + Math.ceil(lockedMs / 1000);
  writeSigned(context, deps, { name: pendingName, value: pending, seconds });
}

export function readPending(context: HttpContext, deps: AuthDeps): PendingCode | undefined {
  const lifeMs = pendingSeconds * 1000 + deps.codes.policy.lockMsMax;
  return readSigned(context, deps, { name: pendingName, schema: pendingSchema, lifeMs });
}

export function dropPending(context: HttpContext, deps: AuthDeps): void {
  deleteCookie(context, pendingName, cookieAttributes(deps));
}

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

const typedCharsMax = 320;

const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) =>
  z.enum(Object.keys(table) as Name[]);

/**
 * The result of a form, shown once on the next page, at `place`: `code` is the code's field, `step`
 * the page around it.
 */
const flashSchema = z.object({
  place: z.enum(flashPlaces),
  done: namesOf<DoneName>(messages.done).optional(),
  failed: namesOf<FailedName>(messages.failed).optional(),
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

export function readFlash(context: HttpContext, deps: AuthDeps): Flash | undefined {
  const lifeMs = flashSeconds * 1000;
  return readSigned(context, deps, { name: flashName, schema: flashSchema, lifeMs });
}

/** Once it has been shown. */
export function clearFlash(context: HttpContext, deps: AuthDeps): void {
  if (getCookie(context, flashName) !== undefined) {
    deleteCookie(context, flashName, cookieAttributes(deps));
  }
}

interface Written {
  readonly name: string;
  readonly value: object;
  readonly seconds: number;
}

function writeSigned(context: HttpContext, deps: AuthDeps, written: Written): void {
  const { name, value, seconds } = written;
  const parts = [Buffer.from(JSON.stringify(value)).toString("base64url")];
  const signing = { purpose: name, parts, signedAt: deps.clock.now() };
  const text = signText(deps.keys.current.secret, signing);
  setCookie(context, name, text, { ...cookieAttributes(deps), maxAge: seconds });
}

interface Read<T> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** At most: the browser drops it at the end of its session. */
  readonly lifeMs: number;
}

function readSigned<T>(context: HttpContext, deps: AuthDeps, read: Read<T>): T | undefined {
  const { name, schema, lifeMs } = read;
  const keys = deps.keys.all.map(({ secret }) => secret);
  const text = getCookie(context, name) ?? "";
  const verified = verifyText(text, { purpose: name, keys, lifeMs, now: deps.clock.now() });
  if (verified.kind !== "valid") return undefined;
  const [value = ""] = verified.parts;
  // Signed by us, but perhaps by an earlier version.
  return schema.safeParse(JSON.parse(Buffer.from(value, "base64url").toString())).data;
}
