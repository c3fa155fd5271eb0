import { join } from "node:path";
import { needJava, needKafkaJars } from "../../support/engines/kafka.ts";
import {
  findBrowser,
  needGoModule,
  needPostfix,
  needProgram,
  needPythonClients,
  needSchemathesis,
} from "../../support/engines/packages.ts";
import { ServerRecords } from "../../support/engines/state.ts";
import { bringUp, endServer, wipeServer } from "../../support/engines/up.ts";
import type { Need } from "./suite.ts";

/** Variables for the tests, and a line for each engine that is missing. */
interface Preparation {
  readonly environment: Record<string, string>;
  readonly ready: string[];
  readonly missing: string[];
}

interface Engine {
  readonly name: string;
  /** Where the tests find it. */
  readonly variable: string;
  readonly need: Need;
  /** Resolves with the variable's value; rejects with the reason why there is none. */
  readonly find: () => Promise<string>;
}

const servers = [
  { name: "kafka", variable: "KAFKA_BROKERS" },
  { name: "redis", variable: "REDIS_URL" },
  { name: "postgres", variable: "DATABASE_URL" },
] as const;

/** The servers of the tests, apart from a developer's own: always fresh, gone afterwards. */
export function openTestServers(repository: string): ServerRecords {
  return new ServerRecords(join(repository, ".cache", "test-servers"));
}

/**
 * Brings up what the suites need and never throws: what cannot be had is `missing`. Only TEST_*
 * variables may point to servers that are up already: a developer's DATABASE_URL is no place for
 * tests.
 */
export async function prepareEngines(
  repository: string,
  records: ServerRecords,
  needs: ReadonlySet<Need>,
): Promise<Preparation> {
  const prepared: Preparation = { environment: {}, ready: [], missing: [] };
  const prepare = async ({ name, variable, find }: Engine) => {
    try {
      prepared.environment[variable] = await find();
      prepared.ready.push(name);
    } catch (error) {
      prepared.missing.push(`${name}: ${(error as Error).message}`);
    }
  };
  const engines = listEngines(repository, records).filter(({ need }) => needs.has(need));
  // After Kafka itself, which may have to fetch the same jars.
  const [jars, others] = [
    engines.filter(({ name }) => name === "kafka-jars"),
    engines.filter(({ name }) => name !== "kafka-jars"),
  ];
  await Promise.all(others.map(prepare));
  await Promise.all(jars.map(prepare));
  return prepared;
}

function listEngines(repository: string, records: ServerRecords): Engine[] {
  const print = (line: string) => console.error(line);
  const env = process.env;
  const program = (name: string, variable: string, need: Need, debian = name): Engine => {
    return { name, variable, need, find: () => needProgram(name, { debian, print }) };
  };
  const server = ({ name, variable }: (typeof servers)[number]): Engine => ({
    name,
    variable: `TEST_${variable}`,
    need: "servers",
    find: async () => {
      const environment = { [variable]: env[`TEST_${variable}`] };
      const { variables } = await bringUp(name, { repository, records, environment, print });
      const value = variables[variable];
      if (value === undefined) throw new Error(`${variable} is not known`);
      return value;
    },
  });
  const client = (name: string, variable: string, find: () => Promise<string>): Engine => {
    return { name, variable, need: "servers", find: async () => env[variable] || find() };
  };
  return [
    ...servers.map(server),
    // Another implementation of Kafka's protocol: if it reads and writes our records, others will.
    program("kcat", "TEST_KCAT", "servers"),
    // The clients of docs/producing.md.
    client("python", "TEST_PYTHON", () => needPythonClients(repository, print)),
    client("schemathesis", "TEST_SCHEMATHESIS", () => needSchemathesis(repository, print)),
    client("go", "TEST_GO_MODULE", () => needGoModule(repository, print)),
    { name: "postfix", variable: "TEST_POSTFIX", need: "servers", find: () => needPostfix(print) },
    program("pgbouncer", "TEST_PGBOUNCER", "servers"),
    // In front of the services, with TLS and the headers that people configure.
    program("nginx", "TEST_NGINX", "nginx"),
    program("spamassassin", "TEST_SPAMASSASSIN", "servers"),
    // For tests that start brokers of their own, to stop them.
    client("kafka-jars", "TEST_KAFKA_LIBS", async () => {
      await needJava(print);
      return needKafkaJars(repository, print);
    }),
    {
      name: "chromium",
      variable: "TEST_CHROMIUM",
      need: "chromium",
      find: async () => findBrowser() ?? needProgram("chromium", { debian: "chromium", print }),
    },
    { ...program("docker-compose", "TEST_COMPOSE", "compose"), name: "compose" },
    // The package has both.
    program("promtool", "TEST_PROMTOOL", "prometheus", "prometheus"),
    program("prometheus", "TEST_PROMETHEUS", "prometheus"),
  ];
}

/** Ends and forgets what was started, data included. */
export async function removeTestServers(records: ServerRecords): Promise<void> {
  for (const { name } of servers) {
    const server = records.find(name);
    if (server !== undefined) await endServer(server, records);
    wipeServer(name, records);
  }
}
