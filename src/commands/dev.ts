import { existsSync } from "node:fs";
import { loadConfig, warnOfMistyped } from "../compose/config.ts";
import { embeddedOnly, openLog, runService } from "../compose/engines.ts";
import { startServeAuth } from "../compose/serve-auth.ts";
import { startServeEmail } from "../compose/serve-email.ts";
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
    const logOf = (service: string) => openLog(service, config);
    let inboxUrl: string | undefined; // both are known once the services listen
    let { publicOrigin } = config.http.boundary;
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
    const { dataDirectory } = config.app;
    process.stdout.write(renderBanner({ auth, email, dataDirectory, ignored }));
    warnOfMistyped(environment, logOf("instant"));
  });
}

interface Started {
  readonly auth: { readonly url: string };
  readonly email: { readonly url: string };
  readonly dataDirectory: string;
  readonly ignored: readonly string[];
}

function renderBanner({ auth, email, dataDirectory, ignored }: Started): string {
  const lines = [
    `instant is running on embedded engines; its files are in ${dataDirectory}`,
    "",
    `  Sign-in page  ${auth.url}/`,
    `  Sign-in API   ${auth.url}/docs`,
    `  Inbox         ${email.url}/inbox`,
    `  Operations    ${email.url}/`,
    `  Health        ${email.url}/health`,
    "",
    "Sign in on the page, or request a code here and read it in the inbox:",
    "",
    `  curl -X POST ${auth.url}/auth/request-code \\`,
    `    -H "Content-Type: application/json" \\`,
    `    -d '{"email": "test@example.com"}'`,
    "",
  ];
  if (ignored.length > 0) lines.push(`Ignored in dev: ${ignored.join(", ")}`, "");
  lines.push("Press Ctrl-C to stop. The log follows.", "");
  return `\n${lines.join("\n")}\n`;
}
