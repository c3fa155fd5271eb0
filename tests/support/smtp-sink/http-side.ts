import type { SinkRule } from "./behaviour.ts";
import { sinkStages } from "./behaviour.ts";
import { readMail } from "./read-mail.ts";
import type { SmtpSink } from "./smtp-sink.ts";

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
export function serveSinkHttp(sink: SmtpSink, port: number): Bun.Server<undefined> {
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
