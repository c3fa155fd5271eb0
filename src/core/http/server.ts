// The server that an HTTP app listens with.
import { errorMessage, InstantError, isInstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Service } from "../service.ts";
import { systemClock, withDeadline } from "../time.ts";
import type { HttpEnvironment } from "./problem.ts";
import { httpErrors } from "./problem.ts";

const idleTimeoutMsDefault = 75_000;
/** Bun's timers run in steps of 4 s, so a connection may be closed that much early. */
const timerTickMs = 4_000;
const stopDeadlineMsDefault = 15_000;

export interface HttpServerOptions {
  /** Compatible with Hono's `app.fetch`. */
  readonly fetch: (
    request: Request,
    bindings: HttpEnvironment["Bindings"],
  ) => Response | Promise<Response>;
  /** The address to listen on: "127.0.0.1", "0.0.0.0", "::". */
  readonly hostname: string;
  /** 0: any free one, see `port` afterwards. */
  readonly port: number;
  readonly log: Log;
  /** The variable that sets the port, for the error message. */
  readonly portVariable?: string;
  /** See HTTP_IDLE_TIMEOUT; 75 s when left out. */
  readonly idleTimeoutMs?: number;
  /** How long requests are still answered after `stop`; not at all when left out. */
  readonly stopDelayMs?: number;
  /** How long requests in flight may take after that, before they are cut off. */
  readonly stopDeadlineMs?: number;
  readonly name?: string;
}

interface HttpServer extends Service, AsyncDisposable {
  /** The port it listens on; before the start, the requested one. */
  readonly port: number;
  readonly url: string;
}

/**
 * New: not listening. Started: listens; throws `port_in_use` or `listen_failed` with the fix.
 * Leaving, for `stopDelayMs`, unless nobody can be connected any more: still answers, and answers
 * close their connections, so that a proxy turns elsewhere before it sends a request into a closing
 * one. Stopping: accepts no connection, finishes requests in flight until the deadline, then cuts
 * them off with a warning. Stopped for good; stopping is idempotent.
 *
 * An idle connection is closed after `idleTimeoutMs`, or up to 8 s later; so is one whose answer
 * takes that long. Two things are Bun's: it closes a connection without an answer when the client
 * pipelines requests or sends a method that HTTP does not have, and answers 400 to a chunked body
 * with trailers. A proxy passes on only the unknown method; see docs/operating.md.
 */
export function openHttpServer(options: HttpServerOptions): HttpServer {
  const connections = { stopping: new AbortController(), usedAt: Number.NEGATIVE_INFINITY };
  let server: Bun.Server<undefined> | undefined;
  let stopping: Promise<void> | undefined;
  const port = () => server?.port ?? options.port;
  const opened: HttpServer = {
    name: options.name ?? "http",
    get port() {
      return port();
    },
    get url() {
      return `http://${urlHost(options.hostname)}:${port()}`;
    },
    start: async () => {
      server ??= listen(options, connections);
    },
    stop: () => {
      stopping ??= server === undefined ? Promise.resolve() : leave(server, options, connections);
      return stopping;
    },
    [Symbol.asyncDispose]: () => opened.stop(),
  };
  return opened;
}

interface Connections {
  readonly stopping: AbortController;
  /** The last request on any of them, by `performance.now()`. */
  usedAt: number;
}

function listen(options: HttpServerOptions, connections: Connections): Bun.Server<undefined> {
  const { fetch, hostname, port, idleTimeoutMs = idleTimeoutMsDefault } = options;
  const { signal: stopping } = connections.stopping;
  try {
    return Bun.serve({
      hostname,
      port,
      idleTimeout: Math.ceil((idleTimeoutMs + timerTickMs) / 1000),
      development: false,
      reusePort: false, // Bun's default with development=false; two programs would share the port
      // The app itself limits bodies, and answers with a problem; Bun's own response would be
      // empty. An unread body stays in the socket and costs no memory.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, server) => {
        const clientAddress = server.requestIP(request)?.address; // null once the client has disconnected
        connections.usedAt = performance.now();
        return fetch(request, { clientAddress, stopping });
      },
    });
  } catch (error) {
    throw classifyListenError(error, options);
  }
}

async function leave(
  server: Bun.Server<undefined>,
  options: HttpServerOptions,
  { stopping, usedAt }: Connections,
): Promise<void> {
  const { idleTimeoutMs = idleTimeoutMsDefault, stopDelayMs = 0 } = options;
  stopping.abort();
  const isConnected = performance.now() - usedAt < idleTimeoutMs + 2 * timerTickMs;
  if (isConnected && stopDelayMs > 0) await systemClock.sleep(stopDelayMs);
  await stopServer(server, options);
}

async function stopServer(
  server: Bun.Server<undefined>,
  { log, stopDeadlineMs = stopDeadlineMsDefault }: HttpServerOptions,
): Promise<void> {
  try {
    await withDeadline("finishing HTTP requests", stopDeadlineMs, server.stop());
  } catch (error) {
    if (!isInstantError(error)) throw error;
    log.warn({ pending: server.pendingRequests, stopDeadlineMs }, "HTTP requests were cut off");
    await server.stop(true);
  }
}

function classifyListenError(error: unknown, options: HttpServerOptions): InstantError {
  const { hostname, port, portVariable } = options;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const address = `${urlHost(hostname)}:${port}`;
  if (code === "EADDRINUSE") {
    return new InstantError(httpErrors.portInUse, {
      detail: `${address}; stop the other program, or choose another port${portVariable === undefined ? "" : ` with ${portVariable}`}`,
      cause: error,
    });
  }
  return new InstantError(httpErrors.listenFailed, {
    detail: `${address}: ${errorMessage(error)}`,
    cause: error,
  });
}

/** For a URL: a wildcard address becomes localhost. */
function urlHost(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "localhost";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
