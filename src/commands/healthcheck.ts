import { loadConfig } from "../compose/config.ts";
import type { Environment } from "../core/config.ts";

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
