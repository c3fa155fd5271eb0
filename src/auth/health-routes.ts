import { z } from "zod";
import { errorMessage, isInstantError } from "../core/errors.ts";
import { withDeadline } from "../core/time.ts";
import type { AuthDeps, AuthRoute } from "./auth-deps.ts";

// `/health`: 200 `healthy`, or 503 `unhealthy` when a store of this service does not answer; both
// list the state of each store, within 2 s. `/livez`: the process answers. `/readyz`: as `/health`,
// with the reasons. Kafka is not checked: while it is unavailable, mails are delivered directly.

const group = "Health";
const storeNames = ["codes", "limits", "sessions", "users"] as const;
const connection = z.enum(["connected", "embedded", "disconnected"]);

const healthAnswer = z
  .object({
    status: z.enum(["healthy", "unhealthy"]),
    service: z.string(),
    codes: connection,
    limits: connection,
    sessions: connection,
    users: connection,
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
    const stores = await pingStores(deps);
    const healthy = reasonsNotReady(stores).length === 0;
    const body = {
      status: healthy ? "healthy" : "unhealthy",
      service: "auth-service",
      ...Object.fromEntries(stores.map(({ name, connection }) => [name, connection])),
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
    description: "The process is alive.",
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
  answer: { status: 200, description: "The service is ready.", schema: readyAnswer },
  otherwise: {
    status: 503,
    description: "The service is not ready, with the reasons.",
    schema: notReadyAnswer,
  },
  storeless: true,
  handle: async (context, deps) => {
    const reasons = reasonsNotReady(await pingStores(deps));
    if (reasons.length === 0) return context.json({ status: "ready" });
    return context.json({ status: "not_ready", reasons }, 503);
  },
};

interface StoreState {
  readonly name: (typeof storeNames)[number];
  readonly connection: z.infer<typeof connection>;
  /** The answer of a store that is reachable, but refuses requests now. */
  readonly refusal?: unknown;
}

const pingDeadlineMs = 2_000;

function pingStores(deps: AuthDeps): Promise<StoreState[]> {
  return Promise.all(storeNames.map((name) => pingStore(name, deps)));
}

async function pingStore(name: StoreState["name"], deps: AuthDeps): Promise<StoreState> {
  const store = deps[name];
  const deadlineMs = pingDeadlineMs;
  try {
    await withDeadline(`ping of ${name}`, deadlineMs, store.ping({ deadlineMs }));
    return { name, connection: store.embedded ? "embedded" : "connected" };
  } catch (error) {
    deps.log.warn({ store: name, error: errorMessage(error) }, "Store does not answer");
    const refusal = isInstantError(error) ? error.details["refusal"] : undefined;
    return { name, connection: "disconnected", refusal };
  }
}

function reasonsNotReady(stores: readonly StoreState[]): string[] {
  return stores
    .filter(({ connection }) => connection === "disconnected")
    .map(({ name, refusal }) => {
      const reason = `the ${name} store is unavailable`;
      return refusal === undefined ? reason : `${reason}: ${refusal}`;
    });
}
