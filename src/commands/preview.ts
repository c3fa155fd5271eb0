import type { Config } from "../compose/config.ts";
import { loadConfig } from "../compose/config.ts";
import { tryMailTemplates } from "../compose/delivery.ts";
import { openLog } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";
import { coreErrors, InstantError } from "../core/errors.ts";
import { openHttpServer } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Running } from "../core/service.ts";
import { runUntilSignal } from "../core/service.ts";
import { systemClock } from "../core/time.ts";
import { createPreviewApp } from "../email/templates/preview.tsx";

/** Starts the preview and returns its URL. Templates are loaded again for each page. */
export async function startPreview(
  config: Config,
  { group }: Running,
  { log, port }: { readonly log: Log; readonly port: number },
): Promise<string> {
  const app = createPreviewApp({
    log,
    now: systemClock.now,
    templates: () => {
      const { templates, problems } = tryMailTemplates(config);
      return { ...templates, problems };
    },
  });
  const server = openHttpServer({
    name: "preview",
    fetch: app.fetch,
    portVariable: "--port",
    hostname: "127.0.0.1",
    port,
    log,
  });
  await group.start(server);
  return server.url;
}

const portDefault = "8090";
const stopDeadlineMs = 2000;

/** Serves the preview of all mails on this machine until it is stopped. */
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
    const lines = [`Preview of all mails: ${url}/`];
    if (directory !== undefined)
      lines.push(`Templates in ${directory} are reloaded for each page.`);
    process.stdout.write(`${[...lines, "Press Ctrl-C to stop."].join("\n")}\n`);
  };
  return runUntilSignal(start, { log, stopDeadlineMs });
}
