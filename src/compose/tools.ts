import { createLog } from "../core/log.ts";
import { ServiceGroup } from "../core/service.ts";
import type { Config } from "./config.ts";
import { Engines } from "./engines.ts";

const stopDeadlineMs = 10_000;

/**
 * Gives a short command the engines it asks for and closes them at the end. Its log is quiet below
 * warnings and goes to stderr, because stdout is the command's report.
 */
export async function withTools<T>(
  config: Config,
  work: (engines: Engines) => Promise<T>,
): Promise<T> {
  const log = createLog({
    service: "instant",
    level: config.app.logLevel === "debug" ? "debug" : "silent",
    write: (line) => process.stderr.write(line),
  });
  const group = new ServiceGroup({ log, stopDeadlineMs });
  try {
    return await work(new Engines(config, log, group));
  } finally {
    await group.stop();
  }
}
