/**
 * The sink as a process: `bun tests/support/smtp-sink/main.ts --port 1025 --http-port 1080`.
 * Prints one JSON line when it listens; ends on SIGTERM or SIGINT. Keeps the newest 1,000 messages,
 * and counts all.
 */
import { parseArgs } from "node:util";
import { serveSinkHttp } from "./http-side.ts";
import { openSmtpSink } from "./smtp-sink.ts";

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
