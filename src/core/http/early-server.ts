// A server that listens before its app is ready, so that probes are answered from the start.

import { createHttpApp } from "./app.ts";
import { httpErrors, problemResponse } from "./problem.ts";
import type { HttpServerOptions } from "./server.ts";
import { openHttpServer } from "./server.ts";

type Fetch = HttpServerOptions["fetch"];

/**
 * Starting: `/livez` is alive, `/readyz` is not ready, and every other request waits for the app.
 * Serving: the app answers. Stopped while starting: requests that wait are refused.
 */
export interface EarlyServer extends ReturnType<typeof openHttpServer> {
  /** From now on `fetch` answers, first the requests that waited. */
  serve(fetch: Fetch): void;
}

const probe = /^(?:https?:\/\/[^/]*)?\/(?:livez|readyz)(?:[?#]|$)/;

export function openEarlyServer(options: Omit<HttpServerOptions, "fetch">): EarlyServer {
  const app = Promise.withResolvers<Fetch>();
  const early = createHttpApp(options);
  early.get("/livez", (context) => context.json({ status: "alive" }));
  early.get("/readyz", (context) => {
    return context.json({ status: "not_ready", reasons: ["the service is starting"] }, 503);
  });
  early.all("*", (context) => problemResponse(context, httpErrors.notServing));
  let current: Fetch = async (request, bindings) => {
    const fetch = probe.test(request.url) ? early.fetch : await app.promise;
    return fetch(request, bindings);
  };
  const server = openHttpServer({
    ...options,
    fetch: (request, bindings) => current(request, bindings),
  });
  const { stop } = server;
  return Object.assign(server, {
    serve: (fetch: Fetch) => {
      current = fetch;
      app.resolve(fetch);
    },
    stop: () => {
      app.resolve(early.fetch);
      return stop();
    },
  });
}
