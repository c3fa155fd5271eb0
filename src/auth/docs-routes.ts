import type { Hono } from "hono";
import packageJson from "../../package.json" with { type: "json" };
import type { HttpEnvironment } from "../core/http/environment.ts";
import { createOpenApiDocument } from "../core/openapi/create-document.ts";
import { docsPage } from "../core/openapi/docs-page.tsx";
import type { Operation } from "../core/openapi/operation.ts";
import { requestEmailOperation, verifyEmailOperation } from "./change-email.ts";
import { cookieName } from "./current-session.ts";
import { deleteUserOperation, requestDeletionOperation } from "./delete-user.ts";
import { authErrors } from "./error-codes.ts";
import { healthOperation, livenessOperation, readinessOperation } from "./health-routes.ts";
import { requestCodeOperation } from "./request-code.ts";
import {
  currentSessionOperation,
  listSessionsOperation,
  logoutOperation,
  revokeOthersOperation,
  revokeSessionOperation,
} from "./session-routes.ts";
import { changeUserOperation, getMeOperation, getUserOperation } from "./user-routes.ts";
import { verifyCodeOperation } from "./verify-code.ts";

/** Every call of the sign-in API, in the order of their use. */
export const authOperations: readonly Operation[] = [
  requestCodeOperation,
  verifyCodeOperation,
  currentSessionOperation,
  listSessionsOperation,
  revokeSessionOperation,
  revokeOthersOperation,
  logoutOperation,
  getUserOperation,
  getMeOperation,
  changeUserOperation,
  requestEmailOperation,
  verifyEmailOperation,
  requestDeletionOperation,
  deleteUserOperation,
  healthOperation,
  livenessOperation,
  readinessOperation,
];

interface DocsDeps {
  readonly appName: string;
  readonly publicOrigin: string | undefined;
  readonly furtherOperations: readonly Operation[];
}

const description =
  "Sign-in without passwords: a code comes by e-mail, and entering it opens a session. Errors are problems as in RFC 9457; every 429 says in Retry-After and in its body when to try again. A session is sent as the cookie session_id or as a Bearer token; with the cookie, a write must come from a page of the same origin.";

/**
 * `GET /openapi.json`, and `GET /docs` for people. The document never changes; it is created on the
 * first request, so that the service starts sooner.
 */
export function addDocsRoutes(app: Hono<HttpEnvironment>, deps: DocsDeps): void {
  const { appName, publicOrigin, furtherOperations } = deps;
  let made: ReturnType<typeof createOpenApiDocument> | undefined;
  const getDocument = () => {
    made ??= createOpenApiDocument({
      title: `${appName}: sign-in API`,
      version: packageJson.version,
      description,
      serverUrl: publicOrigin,
      operations: [...authOperations, ...furtherOperations],
      cookieName,
      unauthenticated: authErrors.unauthenticated,
    });
    return made;
  };
  app.get("/openapi.json", (context) => {
    context.header("Cache-Control", "public, max-age=300");
    return context.json(getDocument());
  });
  app.get("/docs", (context) => {
    const { url } = context.req; // the bare path without a usable Host
    const baseUrl = publicOrigin ?? (URL.canParse(url) ? new URL(url).origin : "");
    return docsPage({ document: getDocument(), appName, baseUrl });
  });
}
