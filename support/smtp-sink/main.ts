import { parseArgs } from "node:util";
import { readMail } from "./accepted.ts";
import type { SinkRule } from "./behaviour.ts";
import { sinkStages } from "./behaviour.ts";
import type { SmtpSink } from "./smtp-sink.ts";
import { openSmtpSink } from "./smtp-sink.ts";

const messagesMax = 1_000;

/**
 * The sink for other processes, on 127.0.0.1:
 * - `GET /messages?limit=100`: the newest messages, newest first.
 * - `DELETE /messages`: forgets messages and counts.
 * - `GET /counts`: `{"accepted":3,"distinct":2,"once":1,"doubles":{"<message id>":2}}`;
 *   `?id=…` adds `"count"` of that one.
 * - `PUT /behaviour`: a JSON array of rules (see `behaviour.ts`), replacing all; `[]`: accepts.
 * - `GET /health`: 200.
 */
function serveSinkHttp(sink: SmtpSink, port: number): Bun.Server<undefined> {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    routes: {
      "/messages": {
        GET: (request) => Response.json(listMessages(sink, new URL(request.url))),
        DELETE: () => {
          sink.clear();
          return new Response(null, { status: 204 });
        },
      },
      "/counts": { GET: (request) => Response.json(countsOf(sink, new URL(request.url))) },
      "/behaviour": { PUT: async (request) => putBehaviour(sink, await request.text()) },
      "/health": { GET: () => Response.json({ status: "healthy" }) },
    },
    fetch: () => Response.json({ error: "no such route" }, { status: 404 }),
  });
}

function listMessages(sink: SmtpSink, url: URL): readonly object[] {
  const limit = Math.min(Number(url.searchParams.get("limit") ?? 100) || 100, messagesMax);
  return sink.accepted
    .slice(-limit)
    .toReversed()
    .map(({ messageId, from, to, at, data }) => {
      const { subject, text, html } = readMail(data);
      return { messageId, from, to, subject, text, html, at: new Date(at).toISOString() };
    });
}

function countsOf(sink: SmtpSink, url: URL): object {
  const counts = sink.countByMessageId();
  const doubles = Object.fromEntries([...counts].filter(([, count]) => count > 1));
  const id = url.searchParams.get("id");
  return {
    accepted: sink.acceptedTotal,
    distinct: counts.size,
    once: counts.size - Object.keys(doubles).length,
    doubles,
    ...(id === null ? {} : { count: counts.get(id) ?? 0 }),
  };
}

function putBehaviour(sink: SmtpSink, body: string): Response {
  try {
    const rules: unknown = JSON.parse(body);
    if (!Array.isArray(rules) || !rules.every(isRule)) throw new Error("not an array of rules");
    sink.setBehaviour(rules);
    return new Response(null, { status: 204 });
  } catch (error) {
    return Response.json({ error: String(error) }, { status: 400 });
  }
}

/** Enough to catch a slip of the pen; the sink is for those who write its tests. */
function isRule(value: unknown): value is SinkRule {
  if (typeof value !== "object" || value === null) return false;
  const { at, does } = value as { at?: unknown; does?: unknown };
  const known = sinkStages.some((stage) => stage === at);
  return known && typeof does === "object" && does !== null && "kind" in does;
}

/**
 * The sink as a process: `bun support/smtp-sink/main.ts --port 1025 --http-port 1080`.
 * Prints one JSON line when it listens; ends on SIGTERM or SIGINT. Keeps the newest 1,000 messages,
 * and counts all.
 */

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "1025" },
    "http-port": { type: "string", default: "1080" },
    host: { type: "string", default: "127.0.0.1" },
    user: { type: "string" },
    password: { type: "string" },
  },
});
const { user, password } = values;
const sink = await openSmtpSink({
  port: Number(values.port),
  host: values.host,
  keepMax: 1_000,
  ...(user === undefined ? {} : { auth: { user, password: password ?? "" } }),
});
const http = serveSinkHttp(sink, Number(values["http-port"]));
console.log(JSON.stringify({ smtpPort: sink.port, httpPort: http.port }));

const stop = async () => {
  await Promise.all([sink.close(), http.stop(true)]);
  process.exit(0);
};
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
