// `serve-auth`, `serve-email`, and `healthcheck`, which asks one of them.
import { loadConfig, warnOfSettings } from "../compose/config.ts";
import { connect, listen, runService } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";

export async function serveAuth(environment: Environment): Promise<number> {
  const config = loadConfig(environment, "serve-auth");
  return runService("auth-service", config, async (engines, running, log) => {
    const server = await listen("auth", engines, running, log);
    await connect(engines);
    const { startServeAuth } = await import("../compose/serve-auth.ts");
    await startServeAuth(engines, running, log, server);
    await warnOfSettings(environment, config, ["serve-auth"], log);
  });
}

export async function serveEmail(environment: Environment): Promise<number> {
  const config = loadConfig(environment, "serve-email");
  return runService("email-service", config, async (engines, running, log) => {
    const server = await listen("email", engines, running, log);
    await connect(engines);
    const { startServeEmail } = await import("../compose/serve-email.ts");
    await startServeEmail(engines, running, log, server);
    await warnOfSettings(environment, config, ["serve-email"], log);
  });
}

const deadlineMs = 4000;

/**
 * Checks `url`, or /health of whichever service runs here: returns 0 when it answers 2xx, else 1.
 */
export async function healthcheck(
  environment: Environment,
  url: string | undefined,
): Promise<number> {
  const urls = url === undefined ? localUrls(environment) : [url];
  for (const candidate of urls) {
    const answer = await fetchHealth(candidate);
    if (answer === undefined) continue;
    process.stdout.write(`${candidate}: ${answer.status}\n`);
    return answer.ok ? 0 : 1;
  }
  process.stderr.write(`instant: no answer from ${urls.join(" or ")}\n`);
  return 1;
}

function localUrls(environment: Environment): readonly string[] {
  const { email, auth } = loadConfig(environment);
  return [email.servicePort, auth.port].map((port) => `http://127.0.0.1:${port}/health`);
}

async function fetchHealth(url: string): Promise<Response | undefined> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
  } catch {
    return undefined;
  }
}
