import { existsSync } from "node:fs";
import { loadConfig, warnOfSettings } from "../compose/config.ts";
import { embeddedOnly, listen, openLog, runService } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";
import { loadEnvironment } from "./run-command.ts";

/** Runs both services in this process on embedded engines. Without `--env-file` it reads `./.env`. */
export async function dev(given: Environment): Promise<number> {
  const envFile = given === process.env && existsSync(".env") ? ".env" : undefined;
  const { environment, ignored } = embeddedOnly(
    envFile === undefined ? given : loadEnvironment(envFile),
  );
  const config = loadConfig(environment);
  return runService("instant", config, async (engines, running) => {
    const [authLog, emailLog] = [openLog("auth-service", config), openLog("email-service", config)];
    const auth = await listen("auth", engines, running, authLog);
    const email = await listen("email", engines, running, emailLog);
    const emailUrl = `http://${config.email.serviceHost}:${email.port}`;
    const publicOrigin = config.http.boundary.publicOrigin ?? auth.url;
    const { startServeAuth } = await import("../compose/serve-auth.ts");
    const inboxUrl = `${emailUrl}/inbox`;
    await startServeAuth(engines, running, authLog, auth, { inboxUrl, publicOrigin });
    const { startServeEmail } = await import("../compose/serve-email.ts");
    await startServeEmail(engines, running, emailLog, email, { authUrl: auth.url, publicOrigin });
    const { dataDirectory } = config.app;
    const urls = { authUrl: auth.url, emailUrl };
    process.stdout.write(renderBanner({ ...urls, dataDirectory, ignored }));
    const roles = ["serve-auth", "serve-email"] as const;
    await warnOfSettings(environment, config, roles, openLog("instant", config));
  });
}

interface Started {
  readonly authUrl: string;
  readonly emailUrl: string;
  readonly dataDirectory: string;
  readonly ignored: readonly string[];
}

function renderBanner({ authUrl, emailUrl, dataDirectory, ignored }: Started): string {
  const lines = [
    `instant is running on embedded engines; its files are in ${dataDirectory}`,
    "",
    `  Sign-in page  ${authUrl}/`,
    `  Sign-in API   ${authUrl}/docs`,
    `  Inbox         ${emailUrl}/inbox`,
    `  Operations    ${emailUrl}/`,
    `  Health        ${emailUrl}/health`,
    "",
    "Sign in on the page, or request a code here and read it in the inbox:",
    "",
    `  curl -X POST ${authUrl}/auth/request-code \\`,
    `    -H "Content-Type: application/json" \\`,
    `    -d '{"email": "test@example.com"}'`,
    "",
  ];
  if (ignored.length > 0) lines.push(`Ignored in dev: ${ignored.join(", ")}`, "");
  lines.push("Press Ctrl-C to stop. The log follows.", "");
  return `\n${lines.join("\n")}\n`;
}
