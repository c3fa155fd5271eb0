import type { Operation } from "../core/openapi/operation.ts";
import { messageAnswer, signedInAnswer } from "./answers.ts";
import { requestCodeBody, verifyCodeBody } from "./bodies.ts";
import { authErrors } from "./error-codes.ts";

const group = "Sign-in";

export const requestCodeOperation = {
  id: "requestCode",
  method: "post",
  path: "/auth/request-code",
  group,
  summary: "Send a sign-in code to an address",
  description:
    "Known and unknown addresses get the same answer, and so does one that is locked after wrong codes: its mail comes, but no code is taken before the lock is over. Asking again within a minute sends the same code once more, as the same mail. It is written in the language of Accept-Language, if there are words in it.",
  access: "anyone",
  body: { schema: requestCodeBody, required: true, example: { email: "ana@example.com" } },
  answer: { status: 200, description: "A mail is on its way.", schema: messageAnswer },
  problems: [
    authErrors.addressUnsupported,
    authErrors.tooManyCodes,
    authErrors.tooManyRequests,
    authErrors.mailUnavailable,
  ],
} as const satisfies Operation;

export const verifyCodeOperation = {
  id: "verifyCode",
  method: "post",
  path: "/auth/verify-code",
  group,
  summary: "Sign in with the code",
  description:
    "The answer also sets the cookie session_id. The first sign-in of an address makes its user; a username that is taken leaves the code good. The wrong code that uses up the tries of an address locks it: the answer has scope and retryAfterSeconds, and until then every code, also the right one, is a 429.",
  access: "anyone",
  body: {
    schema: verifyCodeBody,
    required: true,
    example: { email: "ana@example.com", code: "123456" },
  },
  answer: { status: 200, description: "Signed in.", schema: signedInAnswer },
  problems: [
    authErrors.codeInvalid,
    authErrors.usernameTaken,
    authErrors.tooManyTries,
    authErrors.tooManyRequests,
  ],
} as const satisfies Operation;
