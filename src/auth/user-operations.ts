import type { Operation } from "../core/openapi/operation.ts";
import { messageAnswer, userAnswer } from "./answers.ts";
import { changeUserBody, deleteUserBody, requestEmailBody, verifyEmailBody } from "./bodies.ts";
import { authErrors } from "./error-codes.ts";

const group = "Account";
const codeProblems = [
  authErrors.addressUnsupported,
  authErrors.tooManyCodes,
  authErrors.tooManyRequests,
  authErrors.mailUnavailable,
] as const;
const tryProblems = [
  authErrors.confirmationInvalid,
  authErrors.tooManyTries,
  authErrors.tooManyRequests,
] as const;
const codeSent = {
  status: 200,
  description: "A mail is on its way.",
  schema: messageAnswer,
} as const;

export const getUserOperation = {
  id: "getUser",
  method: "get",
  path: "/users/me",
  group,
  summary: "The signed-in user",
  access: "session",
  answer: { status: 200, description: "You.", schema: userAnswer },
} as const satisfies Operation;

/** The address it had first, which stays. */
export const getMeOperation = {
  ...getUserOperation,
  id: "getMe",
  path: "/auth/me",
  summary: "The signed-in user, as at /users/me",
} as const satisfies Operation;

export const changeUserOperation = {
  id: "changeUser",
  method: "patch",
  path: "/users/me",
  group,
  summary: "Choose or change the username",
  access: "session",
  body: { schema: changeUserBody, required: true, example: { username: "ana" } },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [authErrors.usernameTaken],
} as const satisfies Operation;

export const requestEmailOperation = {
  id: "requestEmailCode",
  method: "post",
  path: "/users/me/email",
  group,
  summary: "Send a code to a new address",
  description:
    "Whether the address is another account's is not told here, only to who has the code.",
  access: "session",
  body: { schema: requestEmailBody, required: true, example: { email: "ana@example.org" } },
  answer: codeSent,
  problems: [authErrors.emailUnchanged, ...codeProblems],
} as const satisfies Operation;

export const verifyEmailOperation = {
  id: "changeEmail",
  method: "post",
  path: "/users/me/email/verify",
  group,
  summary: "Change the address, with the code sent to the new one",
  access: "session",
  body: {
    schema: verifyEmailBody,
    required: true,
    example: { email: "ana@example.org", code: "123456" },
  },
  answer: { status: 200, description: "Changed.", schema: userAnswer },
  problems: [authErrors.emailTaken, ...tryProblems],
} as const satisfies Operation;

export const requestDeletionOperation = {
  id: "requestDeletionCode",
  method: "post",
  path: "/users/me/delete-code",
  group,
  summary: "Send a code that confirms the deletion of the account",
  access: "session",
  answer: codeSent,
  problems: codeProblems,
} as const satisfies Operation;

/** Not `DELETE` with a body: what lies between may drop the body (RFC 9110, 9.3.5). */
export const deleteUserOperation = {
  id: "deleteUser",
  method: "post",
  path: "/users/me/delete",
  group,
  summary: "Delete the account, with the code",
  description: "With its sessions, codes and e-mail preferences, for good.",
  access: "session",
  body: { schema: deleteUserBody, required: true, example: { code: "123456" } },
  answer: { status: 204, description: "Gone." },
  problems: tryProblems,
} as const satisfies Operation;
