import type { Hono } from "hono";
import packageJson from "../../package.json" with { type: "json" };
import type { HttpEnvironment } from "../core/http/environment.ts";
import { createOpenApiDocument } from "../core/openapi/create-document.ts";
import { docsPage } from "../core/openapi/docs-page.tsx";
import type { Operation } from "../core/openapi/operation.ts";
import type { AuthRoute } from "./auth-deps.ts";
import { requestEmailRoute, verifyEmailRoute } from "./change-email.ts";
import { cookieName } from "./current-session.ts";
import { deleteUserRoute, requestDeletionRoute } from "./delete-user.ts";
import { authErrors } from "./error-codes.ts";
import { healthRoute, livenessRoute, readinessRoute } from "./health-routes.ts";
import { requestCodeRoute } from "./request-code.ts";
import {
  currentSessionRoute,
  listSessionsRoute,
  logoutRoute,
  revokeOthersRoute,
  revokeSessionRoute,
} from "./session-routes.ts";
import { changeUserRoute, getMeRoute, getUserRoute } from "./user-routes.ts";
import { verifyCodeRoute } from "./verify-code.ts";

/** Every call of the sign-in API, in the order of their use. */
export const authOperations: readonly AuthRoute[] = [
  requestCodeRoute,
  verifyCodeRoute,
  currentSessionRoute,
  listSessionsRoute,
  revokeSessionRoute,
  revokeOthersRoute,
  logoutRoute,
  getUserRoute,
  getMeRoute,
  changeUserRoute,
  requestEmailRoute,
  verifyEmailRoute,
  requestDeletionRoute,
  deleteUserRoute,
  healthRoute,
  livenessRoute,
  readinessRoute,
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
 * first request, for a faster start.
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
