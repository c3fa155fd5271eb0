/** The rules of this repository that Biome cannot express; the others are in biome.json. */
import { dirname, join } from "node:path/posix";

/** A text file that git tracks or would add; `path` is relative to the repository's root. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Who may import a package in src: one client has one home. A package that is new gets a row. */
const homes: Readonly<Record<string, string>> = {
  commander: "src/commands/{help,program}.ts",
  "csv-parse": "src/email/suppressions/**",
  "csv-stringify": "src/email/suppressions/**",
  hono: "src/{auth,compose,core,email}/**",
  ioredis: "src/core/redis/**",
  kafkajs: "src/email/event-log/kafka/**",
  mustache: "src/email/templates/**",
  nodemailer: "src/email/mailer/smtp/**",
  pino: "src/core/log.ts",
  postgres: "src/core/postgres/**",
  "prom-client": "src/core/metrics.ts",
  zod: "src/{auth,core,email}/**",
  "bun:sqlite": "src/core/sqlite/**",
  "type bun:sqlite": "src/{auth,core,email}/**/{sqlite*.ts,sqlite/*.ts,inbox.ts}",
};
/** A domain's file is an adapter by its name, or because it talks to an engine itself. */
const adapterName = /\/(redis|sqlite|kafka|postgres|smtp|inbox)(-[a-z0-9-]+)?\.(ts|lua|sql)$/;
const engine = /^(bun:sqlite|ioredis|kafkajs|nodemailer\/lib\/smtp-connection|postgres)$/;

// Each pattern has a letter in brackets, so that this list does not find itself.
const forbiddenWords = {
  "a path of one machine": /(?:^|[^\w.])\/wor[k]\/\w/,
  "a home directory": /(?:^|[^\w.])\/(?:roo[t]|home\/[a-z]\w*|User[s]\/\w+)\/[\w.]/,
  "a registry's host":
    /registry\.(?:npmj[s]|yarnpk[g])\.|repo1?\.mave[n]\.|deb\.debia[n]\.|archive\.ubunt[u]\.|proxy\.golan[g]\./,
  "a task number": /\b(?:issu[e]|ticke[t]) #?\d+\b/i,
};

export const rules = {
  clients: {
    find: findForeignClients,
    why: "A client package has one home, which handles its quirks, timeouts and errors, and where it can be replaced. Import the functions and types of the home; a new package gets a row in scripts/repo-rules/rules.ts.",
  },
  adapters: {
    find: findNamedAdapters,
    why: "Only compose imports adapters, so that an engine is chosen in one place and everything else is tested against the port. Import the port and let compose pass the adapter in.",
  },
  words: {
    find: findForbiddenWords,
    why: "Whoever clones this has another machine, another network and no access to a task list. Write what is true everywhere; cite a thread of another project like nodemailer#1234.",
  },
};

/** A module's imports as written, or as a path of the repository when they are relative. */
export function findImports({ path, text }: SourceFile) {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"/gm,
  );
  return [...statements].map(([, type, named, dynamic]) => {
    const specifier = named ?? dynamic ?? "";
    const target = specifier.startsWith(".") ? join(dirname(path), specifier) : specifier;
    return { target, typeOnly: type !== undefined };
  });
}

const isSource = ({ path }: SourceFile) => /^src\/.*\.tsx?$/.test(path);

function findForeignClients(files: readonly SourceFile[]): string[] {
  return files.filter(isSource).flatMap((file) =>
    findImports(file).flatMap(({ target, typeOnly }) => {
      if (/^(src|scripts|support|tests)\/|^node:|^bun$|^package\.json$/.test(target)) return [];
      const name = target.split("/")[0] ?? "";
      const allowed = [homes[name] ?? "", typeOnly ? (homes[`type ${name}`] ?? "") : ""];
      if (allowed.some((home) => new Bun.Glob(home).match(file.path))) return [];
      return [`${file.path} imports ${target}, whose home is ${homes[name] ?? "nowhere yet"}`];
    }),
  );
}

function findNamedAdapters(files: readonly SourceFile[]): string[] {
  const adapters = new Set(files.filter(isAdapter).map(({ path }) => path));
  return files.filter(isSource).flatMap((file) =>
    findImports(file).flatMap(({ target }) => {
      const module = dirname(target).replace(/\/(kafka|smtp)$/, "");
      const mayName = ["src/compose", module].some((home) => file.path.startsWith(`${home}/`));
      return adapters.has(target) && !mayName ? [`${file.path} imports adapter ${target}`] : [];
    }),
  );
}

function isAdapter(file: SourceFile): boolean {
  if (!/^src\/(auth|email)\//.test(file.path)) return false;
  const talks = findImports(file).some((found) => !found.typeOnly && engine.test(found.target));
  return talks || adapterName.test(file.path);
}

function findForbiddenWords(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) =>
      Object.entries(forbiddenWords)
        .filter(([, pattern]) => pattern.test(line))
        .map(([what]) => `${path}:${index + 1} has ${what}`),
    ),
  );
}
