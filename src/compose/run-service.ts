import type { Log } from "../core/log.ts";
import type { Running } from "../core/run-until-signal.ts";
import { runUntilSignal } from "../core/run-until-signal.ts";
import type { Config } from "./config.ts";
import { Engines } from "./engines.ts";
import { openLog } from "./open-log.ts";

/** What closing connections may take beyond the drain of what is in flight. */
const closingMs = 10_000;

/** Runs a service until it is told to stop; the exit code. */
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
