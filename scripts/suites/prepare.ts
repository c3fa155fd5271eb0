import { join } from "node:path";
import { needJava, needKafkaJars } from "../../support/engines/kafka.ts";
import {
  findBrowser,
  needGoModule,
  needPostfix,
  needProgram,
  needPythonClients,
} from "../../support/engines/packages.ts";
import type { ServerName, Variables } from "../../support/engines/server.ts";
import { ServerRecords } from "../../support/engines/state.ts";
import { bringUp, endServer, wipeServer } from "../../support/engines/up.ts";
import type { Need } from "./suite.ts";

/** What was prepared: variables for the tests, and a line for each thing that is not there. */
export interface Preparation {
  readonly environment: Record<string, string>;
  readonly ready: string[];
  readonly missing: string[];
}

const testVariables = {
  kafka: ["KAFKA_BROKERS", "TEST_KAFKA_BROKERS"],
  redis: ["REDIS_URL", "TEST_REDIS_URL"],
  postgres: ["DATABASE_URL", "TEST_DATABASE_URL"],
} as const satisfies Partial<Record<ServerName, readonly [string, string]>>;

/** The servers of the tests, apart from a developer's own: always fresh, gone afterwards. */
export function openTestServers(repository: string): ServerRecords {
  return new ServerRecords(join(repository, ".cache", "test-servers"));
}

/**
 * Brings up what the suites need and never throws: what cannot be had is `missing`. Only
 * TEST_KAFKA_BROKERS, TEST_REDIS_URL and TEST_DATABASE_URL may point to servers that are there
 * already: a developer's DATABASE_URL is no place for tests.
 */
export async function prepareEngines(
  repository: string,
  records: ServerRecords,
  needs: ReadonlySet<Need>,
): Promise<Preparation> {
  const prepared: Preparation = { environment: {}, ready: [], missing: [] };
  const attempt = async (what: string, variable: string, find: () => Promise<string>) => {
    try {
      prepared.environment[variable] = await find();
      prepared.ready.push(what);
    } catch (error) {
      prepared.missing.push(`${what}: ${(error as Error).message}`);
    }
  };
  const say = (line: string) => console.error(line);
  const work: Promise<void>[] = [];
  if (needs.has("servers")) {
    for (const name of ["kafka", "redis", "postgres"] as const) {
      const [own, forTests] = testVariables[name];
      const environment = { [own]: process.env[forTests] };
      const find = async () => {
        const server = await bringUp(name, { repository, records, environment, print: say });
        return need(server.variables, own);
      };
      work.push(attempt(name, forTests, find));
    }
  }
  if (needs.has("servers")) {
    // Another implementation of Kafka's protocol: what it reads and writes is what others will.
    const find = () => needProgram("kcat", { debian: "kcat", print: say });
    work.push(attempt("kcat", "TEST_KCAT", find));
    // The clients of docs/producing.md.
    const findPython = () => process.env["TEST_PYTHON"] || needPythonClients(repository, say);
    const findGoModule = () => process.env["TEST_GO_MODULE"] || needGoModule(repository, say);
    work.push(attempt("python", "TEST_PYTHON", async () => findPython()));
    work.push(attempt("go", "TEST_GO_MODULE", async () => findGoModule()));
    work.push(attempt("postfix", "TEST_POSTFIX", () => needPostfix(say)));
    const findPooler = () => needProgram("pgbouncer", { debian: "pgbouncer", print: say });
    work.push(attempt("pgbouncer", "TEST_PGBOUNCER", findPooler));
    const findFilter = () => needProgram("spamassassin", { debian: "spamassassin", print: say });
    work.push(attempt("spamassassin", "TEST_SPAMASSASSIN", findFilter));
  }
  if (needs.has("chromium"))
    work.push(attempt("chromium", "TEST_CHROMIUM", () => needBrowser(say)));
  if (needs.has("compose")) {
    const find = () => needProgram("docker-compose", { debian: "docker-compose", print: say });
    work.push(attempt("compose", "TEST_COMPOSE", find));
  }
  if (needs.has("prometheus")) {
    // The package has both; promtool is a program of its own.
    const find = () => needProgram("promtool", { debian: "prometheus", print: say });
    work.push(attempt("promtool", "TEST_PROMTOOL", find));
    const findServer = () => needProgram("prometheus", { debian: "prometheus", print: say });
    work.push(attempt("prometheus", "TEST_PROMETHEUS", findServer));
  }
  await Promise.all(work);
  if (needs.has("servers")) {
    // After Kafka itself, which may just have fetched them.
    await attempt("kafka-jars", "TEST_KAFKA_LIBS", () => findKafkaJars(repository, say));
  }
  return prepared;
}

/** Ends and forgets what was started, data included. */
export async function removeTestServers(records: ServerRecords): Promise<void> {
  for (const name of ["kafka", "redis", "postgres"] as const) {
    const server = records.find(name);
    if (server !== undefined) await endServer(server, records);
    wipeServer(name, records);
  }
}

async function needBrowser(say: (line: string) => void): Promise<string> {
  return findBrowser() ?? needProgram("chromium", { debian: "chromium", print: say });
}

/** For tests that start a broker of their own to end it. */
async function findKafkaJars(repository: string, say: (line: string) => void): Promise<string> {
  const given = process.env["TEST_KAFKA_LIBS"];
  if (given) return given;
  await needJava(say);
  return needKafkaJars(repository, say);
}

function need(variables: Variables, name: string): string {
  const value = variables[name];
  if (value === undefined) throw new Error(`${name} is not known`);
  return value;
}
