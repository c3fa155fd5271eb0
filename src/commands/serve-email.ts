import { loadConfig, warnOfMistyped } from "../compose/config.ts";
import { runService } from "../compose/run-service.ts";
import { startServeEmail } from "../compose/serve-email.ts";
import type { Environment } from "../core/config.ts";

export async function serveEmail(environment: Environment): Promise<number> {
  const config = loadConfig(environment, "serve-email");
  return runService("email-service", config, async (engines, running, log) => {
    warnOfMistyped(environment, log);
    await startServeEmail(engines, running, log);
  });
}
