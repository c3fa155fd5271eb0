import type { Hono } from "hono";
import type { Clock } from "../core/clock.ts";
import { createHttpApp } from "../core/http/app.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import type { CodeRouteDeps } from "./code-routes.ts";
import { addCodeRoutes } from "./code-routes.ts";
import { addHealthRoutes } from "./health-routes.ts";
import { addSessionRoutes } from "./session-routes.ts";

export interface AuthAppDeps extends CodeRouteDeps {
  readonly clock: Clock;
}

/** The HTTP app of serve-auth. It opens and closes nothing; more routes may be added to it. */
export function createAuthApp(deps: AuthAppDeps): Hono<HttpEnvironment> {
  const app = createHttpApp({ log: deps.log });
  app.use("/auth/*", async (context, next) => {
    await next();
    context.header("Cache-Control", "no-store"); // the answers are one person's
  });
  addCodeRoutes(app, deps);
  addSessionRoutes(app, deps);
  addHealthRoutes(app, deps);
  return app;
}
