import { z } from "zod";
import { httpErrors } from "../core/http/error-codes.ts";
import type { Operation } from "../core/openapi/operation.ts";
import { currentSessionAnswer, revokedAnswer, sessionsAnswer } from "./answers.ts";
import { logoutBody } from "./bodies.ts";
import { authErrors } from "./error-codes.ts";
import { sessionIdPattern } from "./sessions/session-token.ts";

const group = "Sessions";

export const currentSessionOperation = {
  id: "getCurrentSession",
  method: "get",
  path: "/auth/session",
  group,
  summary: "Who is signed in",
  description: "How another service checks a session: it passes on the token it was given.",
  access: "session",
  answer: { status: 200, description: "The session is live.", schema: currentSessionAnswer },
} as const satisfies Operation;

export const listSessionsOperation = {
  id: "listSessions",
  method: "get",
  path: "/auth/sessions",
  group,
  summary: "Where you are signed in",
  access: "session",
  answer: { status: 200, description: "All live sessions.", schema: sessionsAnswer },
} as const satisfies Operation;

export const revokeSessionOperation = {
  id: "revokeSession",
  method: "delete",
  path: "/auth/sessions/{id}",
  group,
  summary: "End one session",
  description: "At once, everywhere. It may be the current one.",
  access: "session",
  pathParameters: {
    id: {
      schema: z.string().regex(new RegExp(`^${sessionIdPattern}$`)),
      pattern: sessionIdPattern, // "revoke-others" is no session
      description: "The id from the list.",
      example: "gXvV0sYQkLZ8w2nTfJm3Eg",
    },
  },
  answer: { status: 204, description: "Ended." },
  problems: [authErrors.sessionNotFound, httpErrors.notFound],
} as const satisfies Operation;

export const revokeOthersOperation = {
  id: "revokeOtherSessions",
  method: "post",
  path: "/auth/sessions/revoke-others",
  group,
  summary: "End all other sessions",
  access: "session",
  answer: { status: 200, description: "Only the current one is left.", schema: revokedAnswer },
} as const satisfies Operation;

export const logoutOperation = {
  id: "logout",
  method: "post",
  path: "/auth/logout",
  group,
  summary: "Sign out",
  description:
    "Ends the session of the request, or all of the user's. Without one it does nothing.",
  access: "anyone",
  body: { schema: logoutBody, required: false, example: { everywhere: true } },
  answer: { status: 204, description: "Nobody is signed in any more." },
} as const satisfies Operation;
