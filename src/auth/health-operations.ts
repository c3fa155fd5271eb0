import { z } from "zod";
import type { Operation } from "../core/openapi/operation.ts";

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

export const healthOperation = {
  id: "getHealth",
  method: "get",
  path: "/health",
  group,
  summary: "How the service and its stores are",
  access: "anyone",
  answer: { status: 200, description: "All stores answer.", schema: healthAnswer },
  otherwise: { status: 503, description: "One does not.", schema: healthAnswer },
  storeless: true,
} as const satisfies Operation;

export const livenessOperation = {
  id: "getLiveness",
  method: "get",
  path: "/livez",
  group,
  summary: "Whether the process answers",
  access: "anyone",
  answer: {
    status: 200,
    description: "It does.",
    schema: z.object({ status: z.literal("alive") }).meta({ id: "Liveness" }),
  },
  storeless: true,
} as const satisfies Operation;

const readyAnswer = z.object({ status: z.literal("ready") }).meta({ id: "Ready" });
const notReadyAnswer = z
  .object({ status: z.literal("not_ready"), reasons: z.array(z.string()) })
  .meta({ id: "NotReady" });

export const readinessOperation = {
  id: "getReadiness",
  method: "get",
  path: "/readyz",
  group,
  summary: "Whether requests should be sent here",
  access: "anyone",
  answer: { status: 200, description: "Yes.", schema: readyAnswer },
  otherwise: { status: 503, description: "Not now, and why.", schema: notReadyAnswer },
  storeless: true,
} as const satisfies Operation;
