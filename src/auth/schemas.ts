// Fields, answers and errors that several calls of the API share.
import { z } from "zod";
import type { ErrorRow } from "../core/errors.ts";
import { InstantError } from "../core/errors.ts";
import { addressField } from "../core/http/address-field.ts";
import type { User } from "./users/user-store.ts";

// Fields that several API calls accept or return, with their OpenAPI descriptions.

/** A time in RFC 3339. */
export const timeAnswer = (description: string) =>
  z.string().meta({ format: "date-time", description, examples: ["2026-01-31T12:00:00.000Z"] });

export const userAnswer = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    email: z.string().meta({ format: "email" }),
    username: z.string().nullable().meta({ description: "Null until one is chosen." }),
    created_at: timeAnswer("The first sign-in."),
    last_sign_in_at: timeAnswer("The newest sign-in."),
  })
  .meta({ id: "User", description: "A person who signed in." });

export function userResponse(user: User) {
  return {
    id: user.id,
    email: user.email,
    username: user.username ?? null,
    created_at: new Date(user.createdAt).toISOString(),
    last_sign_in_at: new Date(user.lastSignInAt).toISOString(),
  };
}

/** An address in canonical form, so that one mailbox is one user, however it is typed. */
export const emailSchema = addressField.meta({
  format: "email",
  pattern: "^[^%!]*$",
  description:
    "At most 254 bytes. Compared in canonical form: in lower case and Unicode's NFC, full-width letters as plain ones, the domain in ASCII, invisible characters around it dropped.",
  examples: ["ana@example.com"],
});

/** ASCII in lower case without a double dash, which may be Punycode; a local part of words and dots. */
const plainEmail =
  /^(?=[^@]{1,64}@)(?!.*--)[a-z0-9+_-]+(?:\.[a-z0-9+_-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;
const plainEmailCharsMax = 254;

/**
 * The `email` of a body, if it is one that `emailSchema` returns unchanged, as nearly all are; a test
 * holds that. Undefined: zod decides.
 */
export function findPlainEmail(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("email" in body)) return undefined;
  const { email } = body;
  const isPlain =
    typeof email === "string" && email.length <= plainEmailCharsMax && plainEmail.test(email);
  return isPlain ? email : undefined;
}

/** Spaces, dashes and invisible characters are dropped: people paste "123 456". */
export const codeSchema = z
  .string()
  .max(32)
  .transform((text) => toAsciiDigits(text).replace(/[\s\p{Pd}\u2212]/gu, ""))
  .pipe(z.string().regex(/^\d{6}$/, "must be 6 digits"))
  .meta({
    pattern: "^[\\s-]*(?:\\d[\\s-]*){6}$",
    description:
      "The six digits from the mail, which may be those of any script; spaces and dashes are dropped.",
    examples: ["123456"],
  });

/**
 * The code in what somebody pasted: the only group of six digits in it, also as "123 456". Undefined:
 * there is none, or more than one. code-field.client.js does the same.
 */
export function findCode(text: string): string | undefined {
  const digits = toAsciiDigits(text);
  for (const groups of [/\d+/g, /\d+(?:[\s\p{Pd}\u2212]\d+)*/gu]) {
    const found = (digits.match(groups) ?? []).map((group) => group.replace(/\D/g, ""));
    const codes = new Set(found.filter(({ length }) => length === 6));
    if (codes.size > 0) return codes.size === 1 ? [...codes][0] : undefined;
  }
  return undefined;
}

/** Digits of any script as 0 to 9; without invisible characters. */
function toAsciiDigits(text: string): string {
  return text
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
    .replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)));
}

/** The ten digits of a script follow each other, zero first (Unicode, 4.6). */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let zero = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return (code - zero) % 10;
}

export const authErrors = {
  codeInvalid: {
    code: "code_invalid",
    meaning: "The code is wrong, used or expired",
    retryable: false,
    status: 401,
  },
  unauthenticated: {
    code: "unauthenticated",
    meaning: "The request is not authenticated",
    retryable: false,
    status: 401,
  },
  confirmationInvalid: {
    code: "confirmation_invalid", // not a 401: the person is signed in
    meaning: "The code is wrong, used or expired",
    retryable: false,
    status: 403,
  },
  currentCodeInvalid: {
    code: "current_code_invalid",
    meaning: "The code sent to the current address is wrong, used or expired",
    retryable: false,
    status: 403,
  },
  currentCodeRequired: {
    code: "current_code_required",
    meaning: "The sign-in is not recent: a code sent to the current address is needed too",
    retryable: false,
    status: 403,
  },
  sessionNotFound: {
    code: "session_not_found",
    meaning: "No such session",
    retryable: false,
    status: 404,
  },
  emailChangedRecently: {
    code: "email_changed_recently",
    meaning: "The address was changed, which can still be undone; until then nothing is deleted",
    retryable: false,
    status: 409,
  },
  emailTaken: {
    code: "email_taken",
    meaning: "The address belongs to another account",
    retryable: false,
    status: 409,
  },
  emailUnchanged: {
    code: "email_unchanged",
    meaning: "This is already your address",
    retryable: false,
    status: 409,
  },
  usernameTaken: {
    code: "username_taken",
    meaning: "The username belongs to another user",
    retryable: false,
    status: 409,
  },
  undoInvalid: {
    code: "undo_invalid",
    meaning: "The link is wrong, used or older than 72 hours",
    retryable: false,
    status: 410,
  },
  addressUnsupported: {
    code: "address_unsupported",
    meaning: "Our mail server accepts only ASCII characters before the @ of an address",
    retryable: false,
    status: 422,
  },
  tooManyCodes: {
    code: "too_many_codes",
    meaning: "Too many codes were requested",
    retryable: true,
    status: 429,
  },
  tooManyAttempts: {
    code: "too_many_attempts",
    meaning: "Too many wrong codes were entered",
    retryable: true,
    status: 429,
  },
  tooManyRequests: {
    code: "too_many_requests",
    meaning: "Too many requests were made",
    retryable: true,
    status: 429,
  },
  mailUnavailable: {
    code: "mail_unavailable",
    meaning: "The mail cannot be sent right now",
    retryable: true,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;

/** A 409 that names the field. */
export function conflict(
  row: (typeof authErrors)["usernameTaken" | "emailTaken" | "emailUnchanged"],
  field: string,
  message: string,
): InstantError {
  return new InstantError(row, { details: { errors: [{ field, message }] } });
}
