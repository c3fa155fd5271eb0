import { loadConfig, warnOfMistyped } from "../compose/config.ts";
import { runService } from "../compose/run-service.ts";
import { startServeAuth } from "../compose/serve-auth.ts";
import type { Environment } from "../core/config.ts";

export async function serveAuth(environment: Environment): Promise<number> {
  const config = loadConfig(environment, "serve-auth");
  return runService("auth-service", config, async (engines, running, log) => {
    warnOfMistyped(environment, log);
    await startServeAuth(engines, running, log);
  });
}
