import { z } from "zod";
import { errorMessage, isInstantError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { withDeadline } from "../core/time.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";

// `/health`: 200 `healthy`, or 503 `unhealthy` when a store of this service does not answer; each
// with the state of each store, within 2 s. `/livez`: the process answers. `/readyz`: as `/health`,
// with the reasons. Kafka is not checked: while it is unavailable, mails are delivered directly.

const group = "Health";
const connection = z.enum(["connected", "embedded", "disconnected"]);
const connections = {
  codes: connection,
  limits: connection,
  sessions: connection,
  users: connection,
};

const healthAnswer = z
  .object({
    status: z.enum(["healthy", "unhealthy"]),
    service: z.string(),
    ...connections,
    timestamp: z.string().meta({ format: "date-time" }),
  })
  .meta({ id: "Health" });

export const healthRoute: AuthRoute = {
  id: "getHealth",
  method: "get",
  path: "/health",
  group,
  summary: "The state of the service and its stores",
  access: "anyone",
  answer: { status: 200, description: "All stores answer.", schema: healthAnswer },
  otherwise: { status: 503, description: "A store does not answer.", schema: healthAnswer },
  storeless: true,
  handle: async (context, deps) => {
    const stores = await findConnections(deps);
    const healthy = reasonsNotReady(stores).length === 0;
    const body = {
      status: healthy ? "healthy" : "unhealthy",
      service: "auth-service",
      codes: stores.codes.connection,
      limits: stores.limits.connection,
      sessions: stores.sessions.connection,
      users: stores.users.connection,
      timestamp: new Date(deps.clock.now()).toISOString(),
    };
    return context.json(body, healthy ? 200 : 503);
  },
};

export const livenessRoute: AuthRoute = {
  id: "getLiveness",
  method: "get",
  path: "/livez",
  group,
  summary: "Whether the process is alive",
  access: "anyone",
  answer: {
    status: 200,
    description: "It is.",
    schema: z.object({ status: z.literal("alive") }).meta({ id: "Liveness" }),
  },
  storeless: true,
  handle: (context) => context.json({ status: "alive" }),
};

const readyAnswer = z.object({ status: z.literal("ready") }).meta({ id: "Ready" });
const notReadyAnswer = z
  .object({ status: z.literal("not_ready"), reasons: z.array(z.string()) })
  .meta({ id: "NotReady" });

export const readinessRoute: AuthRoute = {
  id: "getReadiness",
  method: "get",
  path: "/readyz",
  group,
  summary: "Whether the service can take requests",
  access: "anyone",
  answer: { status: 200, description: "It can.", schema: readyAnswer },
  otherwise: { status: 503, description: "It cannot, and why.", schema: notReadyAnswer },
  storeless: true,
  handle: async (context, deps) => {
    const reasons = reasonsNotReady(await findConnections(deps));
    if (reasons.length === 0) return context.json({ status: "ready" });
    return context.json({ status: "not_ready", reasons }, 503);
  },
};

/** What each store here can say about itself. */
type Pingable = Pick<AuthDeps["users"], "embedded" | "ping">;

type Connection = z.infer<typeof connection>;

const pingDeadlineMs = 2_000;

async function findConnections({ codes, limits, sessions, users, log }: AuthDeps) {
  const [codesAre, limitsAre, sessionsAre, usersAre] = await Promise.all([
    findConnection("codes", codes, log),
    findConnection("limits", limits, log),
    findConnection("sessions", sessions, log),
    findConnection("users", users, log),
  ]);
  return { codes: codesAre, limits: limitsAre, sessions: sessionsAre, users: usersAre };
}

interface Found {
  readonly connection: Connection;
  /** The words of a store that answers, but refuses to serve now. */
  readonly refusal?: unknown;
}

async function findConnection(name: string, store: Pingable, log: Log): Promise<Found> {
  const deadlineMs = pingDeadlineMs;
  try {
    await withDeadline(`ping of ${name}`, deadlineMs, store.ping({ deadlineMs }));
    return { connection: store.embedded ? "embedded" : "connected" };
  } catch (error) {
    log.warn({ store: name, error: errorMessage(error) }, "Store does not answer");
    const refusal = isInstantError(error) ? error.details["refusal"] : undefined;
    return { connection: "disconnected", refusal };
  }
}

function reasonsNotReady(stores: Readonly<Record<string, Found>>): string[] {
  return Object.entries(stores)
    .filter(([, { connection }]) => connection === "disconnected")
    .map(([name, { refusal }]) => {
      const reason = `the ${name} store is unavailable`;
      return refusal === undefined ? reason : `${reason}: ${refusal}`;
    });
}
