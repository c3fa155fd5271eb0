import type { Log } from "../core/log.ts";
import { createLog, formatLogLine } from "../core/log.ts";
import { Metrics, openProcessMetrics } from "../core/metrics.ts";
import type { Running } from "../core/service.ts";
import { runUntilSignal } from "../core/service.ts";
import type { Config } from "./config.ts";
import { Engines } from "./engines.ts";

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

/** How long closing connections may take after work in flight has drained. */
const closingMs = 10_000;

/** Runs a service until SIGTERM or SIGINT; resolves with the exit code. */
export function runService(
  service: string,
  config: Config,
  start: (engines: Engines, running: Running, log: Log) => Promise<void>,
): Promise<number> {
  const log = openLog(service, config);
  const stopDeadlineMs = config.email.drainMs + closingMs;
  return runUntilSignal((running) => start(new Engines(config, log, running.group), running, log), {
    log,
    stopDeadlineMs,
  });
}

/** The metrics registry of one service, with the metrics of the process. */
export function openServiceMetrics(engines: Engines, service: "auth" | "email"): Promise<Metrics> {
  return engines.once(`metrics of serve-${service}`, () => {
    const metrics = new Metrics();
    const observed = openProcessMetrics(metrics);
    return Object.assign(metrics, {
      [Symbol.asyncDispose]: async () => observed[Symbol.dispose](),
    });
  });
}
