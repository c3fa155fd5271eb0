import type { z } from "zod";
import { emailChange } from "./email-change.tsx";
import type { MailType } from "./mail-type.ts";
import { passwordReset } from "./password-reset.tsx";
import { signInNotice } from "./sign-in-notice.tsx";
import { verificationCode } from "./verification-code.tsx";
import { welcome } from "./welcome.tsx";

/**
 * Every mail there is, one row each, under its name on the wire. All else follows from this table:
 * what is decoded, the words each language must have, the preview, the golden files.
 */
export const mailTypes = {
  verification_code: verificationCode,
  welcome,
  password_reset: passwordReset,
  sign_in_notice: signInNotice,
  email_change: emailChange,
} as const satisfies Readonly<Record<string, MailType>>;

type MailTypes = typeof mailTypes;
export type EventType = keyof MailTypes;
export type DataOf<T extends EventType> = z.infer<MailTypes[T]["data"]>;
export type WordsOf<T extends EventType> =
  MailTypes[T] extends MailType<z.ZodObject, infer W> ? W : never;

export const eventTypes = Object.keys(mailTypes) as readonly EventType[];

export function isEventType(text: string): text is EventType {
  return Object.hasOwn(mailTypes, text);
}
