import { loadConfig } from "../compose/config.ts";
import { openLog } from "../compose/open-log.ts";
import { startPreview } from "../compose/preview.ts";
import type { Environment } from "../core/config/parse.ts";
import { coreErrors } from "../core/error-codes.ts";
import { InstantError } from "../core/errors.ts";
import type { Running } from "../core/run-until-signal.ts";
import { runUntilSignal } from "../core/run-until-signal.ts";

const portDefault = "8090";
const stopDeadlineMs = 2000;

/** Shows all mails on a page of this machine, until it is stopped. */
export async function preview(
  environment: Environment,
  { port = portDefault }: { readonly port?: string },
): Promise<number> {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new InstantError(coreErrors.usageInvalid, { detail: "--port must be 0 to 65535" });
  }
  const config = loadConfig({ LOG_LEVEL: "warn", ...environment });
  const log = openLog("preview", config);
  const start = async (running: Running) => {
    const url = await startPreview(config, running, { log, port: Number(port) });
    const { directory } = config.templates;
    const lines = [`All mails are shown at ${url}/`];
    if (directory !== undefined) lines.push(`Templates in ${directory} are read for each page.`);
    process.stdout.write(`${[...lines, "Ctrl-C stops it."].join("\n")}\n`);
  };
  return runUntilSignal(start, { log, stopDeadlineMs });
}
