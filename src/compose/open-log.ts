import type { Log } from "../core/log.ts";
import { createLog } from "../core/log.ts";
import { formatLogLine } from "../core/log-lines.ts";
import type { Config } from "./config.ts";

/** The log of a running service on standard output: JSON, or lines for a person at a terminal. */
export function openLog(service: string, { app }: Config): Log {
  const { logFormat, logLevel: level, environment } = app;
  const { stdout } = process;
  const isForPerson = stdout.isTTY && environment !== "production";
  if (logFormat === "json" || (logFormat === "auto" && !isForPerson)) {
    return createLog({ service, level });
  }
  const colour = stdout.isTTY && !process.env["NO_COLOR"];
  return createLog({
    service,
    level,
    write: (line) => stdout.write(formatLogLine(line, { colour })),
  });
}
