import { existsSync } from "node:fs";
import { loadConfig, warnOfMistyped } from "../compose/config.ts";
import { embeddedOnly } from "../compose/engines.ts";
import { openLog, runService } from "../compose/run-service.ts";
import { startServeAuth } from "../compose/serve-auth.ts";
import { startServeEmail } from "../compose/serve-email.ts";
import type { Environment } from "../core/config.ts";
import { resolveHttp } from "../core/http/server.ts";
import { loadEnvironment } from "./run-command.ts";

/** Both services in this process, on files. Reads `.env` here when no `--env-file` was given. */
export async function dev(given: Environment): Promise<number> {
  const envFile = given === process.env && existsSync(".env") ? ".env" : undefined;
  const { environment, ignored } = embeddedOnly(
    envFile === undefined ? given : loadEnvironment(envFile),
  );
  const config = loadConfig(environment);
  return runService("instant", config, async (engines, running) => {
    const logOf = (service: string) => openLog(service, config);
    warnOfMistyped(environment, logOf("instant"));
    let inboxUrl: string | undefined; // these are known once the services listen
    let publicOrigin = resolveHttp(config.http).publicOrigin;
    const auth = await startServeAuth(engines, running, logOf("auth-service"), {
      inboxUrl: () => inboxUrl,
      publicOrigin: () => publicOrigin,
    });
    publicOrigin ??= auth.url;
    const email = await startServeEmail(engines, running, logOf("email-service"), {
      authUrl: auth.url,
      publicOrigin: () => publicOrigin,
    });
    inboxUrl = `${email.url}/inbox`;
    process.stdout.write(
      banner({ authUrl: auth.url, emailUrl: email.url, data: config.app.dataDirectory, ignored }),
    );
  });
}

interface BannerFacts {
  readonly authUrl: string;
  readonly emailUrl: string;
  readonly data: string;
  readonly ignored: readonly string[];
}

function banner({ authUrl, emailUrl, data, ignored }: BannerFacts): string {
  const lines = [
    `instant is running on embedded engines; its files are in ${data}`,
    "",
    `  Sign-in page  ${authUrl}/`,
    `  Sign-in API   ${authUrl}/docs`,
    `  Inbox         ${emailUrl}/inbox`,
    `  Operations    ${emailUrl}/`,
    `  Health        ${emailUrl}/health`,
    "",
    "Sign in on the page, or ask for a code here; it is in the inbox:",
    "",
    `  curl -X POST ${authUrl}/auth/request-code \\`,
    `    -H "Content-Type: application/json" \\`,
    `    -d '{"email": "test@example.com"}'`,
    "",
  ];
  if (ignored.length > 0) lines.push(`Ignored in dev: ${ignored.join(", ")}`, "");
  lines.push("Ctrl-C stops it. The log follows.", "");
  return `\n${lines.join("\n")}\n`;
}
