import type { Hono } from "hono";
import type { Clock } from "../core/clock.ts";
import { withDeadline } from "../core/deadline.ts";
import { errorMessage } from "../core/errors.ts";
import type { HttpEnvironment } from "../core/http/environment.ts";
import type { Log } from "../core/log.ts";
import { addOperation } from "../core/openapi/operation.ts";
import { healthOperation, livenessOperation, readinessOperation } from "./health-operations.ts";

/** What a store tells about itself; each of the ports of this room has it. */
interface Pingable {
  readonly embedded: boolean;
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

export interface HealthDeps {
  readonly codes: Pingable;
  readonly limits: Pingable;
  readonly sessions: Pingable;
  readonly users: Pingable;
  readonly clock: Clock;
  readonly log: Log;
}

type Connection = "connected" | "embedded" | "disconnected";

const pingDeadlineMs = 2_000;

/**
 * `/health`: 200 `healthy`, or 503 `unhealthy` when a store of this service does not answer; each
 * with how the stores are, within 2 s. `/livez`: the process answers. `/readyz`: as `/health`, with
 * the reasons. Kafka away does not matter here: mails are then delivered directly.
 */
export function addHealthRoutes(app: Hono<HttpEnvironment>, deps: HealthDeps): void {
  addOperation(app, healthOperation, async (context) => {
    const stores = await findConnections(deps);
    const healthy = away(stores).length === 0;
    const body = {
      status: healthy ? "healthy" : "unhealthy",
      service: "auth-service",
      ...stores,
      timestamp: new Date(deps.clock.now()).toISOString(),
    };
    return context.json(body, healthy ? 200 : 503);
  });
  addOperation(app, livenessOperation, (context) => context.json({ status: "alive" }));
  addOperation(app, readinessOperation, async (context) => {
    const reasons = away(await findConnections(deps)).map((name) => `the ${name} store is away`);
    if (reasons.length === 0) return context.json({ status: "ready" });
    return context.json({ status: "not_ready", reasons }, 503);
  });
}

async function findConnections({ codes, limits, sessions, users, log }: HealthDeps) {
  const [codesAre, limitsAre, sessionsAre, usersAre] = await Promise.all([
    findConnection("codes", codes, log),
    findConnection("limits", limits, log),
    findConnection("sessions", sessions, log),
    findConnection("users", users, log),
  ]);
  return { codes: codesAre, limits: limitsAre, sessions: sessionsAre, users: usersAre };
}

async function findConnection(name: string, store: Pingable, log: Log): Promise<Connection> {
  const deadlineMs = pingDeadlineMs;
  try {
    await withDeadline(`ping of ${name}`, deadlineMs, store.ping({ deadlineMs }));
    return store.embedded ? "embedded" : "connected";
  } catch (error) {
    log.warn({ store: name, error: errorMessage(error) }, "Store does not answer");
    return "disconnected";
  }
}

function away(stores: Readonly<Record<string, Connection>>): string[] {
  return Object.keys(stores).filter((name) => stores[name] === "disconnected");
}
