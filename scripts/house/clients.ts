import type { Import } from "./imports.ts";
import { findImports } from "./imports.ts";
import type { Rule } from "./rule.ts";
import { isTypeScript, isUnder } from "./rule.ts";

/** Each package that talks to the outside, and the one folder or file that may import it. */
const homes = {
  kafkajs: "src/email/event-log/kafka/",
  ioredis: "src/core/redis/",
  postgres: "src/core/postgres/",
  nodemailer: "src/email/mailer/smtp/",
  "bun:sqlite": "src/core/sqlite/",
  pino: "src/core/log.ts",
  commander: "src/main.ts",
  "prom-client": "src/core/metrics.ts",
} as const;

export const clientsRule: Rule = {
  name: "clients",
  why: "One client package has one home. Its quirks, timeouts and foreign errors are then met, classified and patched in one place, and it can be replaced there.",
  mend: "Import the home's own functions and types instead, and add what is missing there. Only an SQLite adapter may import types of bun:sqlite.",
  find: (files) =>
    files
      .filter((file) => isUnder(file.path, "src") && isTypeScript(file))
      .flatMap((file) =>
        findImports(file).flatMap((imported) => {
          const home = findHome(imported.specifier);
          if (home === undefined || file.path.startsWith(home)) return [];
          if (isSqliteType(file.path, imported)) return [];
          const what = `imports ${imported.specifier}, whose home is ${home}`;
          return [{ path: file.path, line: imported.line, what }];
        }),
      ),
};

/** "nodemailer/lib/smtp-connection" lives where nodemailer lives. */
function findHome(specifier: string): string | undefined {
  const found = Object.entries(homes).find(
    ([client]) => specifier === client || specifier.startsWith(`${client}/`),
  );
  return found?.[1];
}

function isSqliteType(path: string, imported: Import): boolean {
  return (
    imported.specifier === "bun:sqlite" &&
    imported.typeOnly &&
    /\/(sqlite|inbox)(\/|\.ts$)/.test(path)
  );
}
