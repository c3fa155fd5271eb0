import type { ErrorRow } from "../core/errors.ts";
import { InstantError } from "../core/errors.ts";

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
  sessionNotFound: {
    code: "session_not_found",
    meaning: "No such session",
    retryable: false,
    status: 404,
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
