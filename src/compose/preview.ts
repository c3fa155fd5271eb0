import { systemClock } from "../core/clock.ts";
import { openHttpServer } from "../core/http/server.ts";
import type { Log } from "../core/log.ts";
import type { Running } from "../core/run-until-signal.ts";
import { createPreviewApp } from "../email/preview/preview-routes.ts";
import type { Config } from "./config.ts";
import { tryMailTemplates } from "./mail-templates.ts";

/** Starts the pages of the preview; the address they are at. */
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
