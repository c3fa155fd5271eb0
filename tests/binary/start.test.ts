import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const repository = resolve(import.meta.dir, "../..");

/** Coreutils that the scripts use; everything else they may need is Bun, Node, npm, git or bash. */
const coreutils = "basename cat chmod cp dirname env ln ls mkdir mktemp mv rm sort touch tr uname";

/**
 * A fresh copy of the repository as git would commit it, an empty home, and a PATH that holds only
 * Node with npm, git, bash and coreutils: what a new contributor has.
 */
function openCheckout() {
  const directory = temporaryDirectory();
  const path = join(directory.path, "instant");
  for (const file of listFiles()) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    cpSync(join(repository, file), join(path, file));
  }
  const home = join(directory.path, "home");
  const programs = join(directory.path, "bin");
  mkdirSync(home);
  mkdirSync(programs);
  for (const name of ["node", "npm", "git", "bash", ...coreutils.split(" ")]) {
    const program = Bun.which(name);
    if (program !== null) symlinkSync(program, join(programs, basename(program)));
  }
  return {
    path,
    environment: { HOME: home, PATH: programs },
    hasNpm: Bun.which("npm", { PATH: programs }) !== null,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function listFiles(): string[] {
  const command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = Bun.spawnSync(command, { cwd: repository });
  const gone = Bun.spawnSync(["git", "ls-files", "-z", "--deleted"], { cwd: repository });
  const deleted = new Set(gone.stdout.toString().split("\0"));
  return listed.stdout
    .toString()
    .split("\0")
    .filter((path) => path !== "" && !deleted.has(path));
}

const engines = {
  kafka: findEngine("kafka"),
  redis: findEngine("redis"),
  postgres: findEngine("postgres"),
};
const program = findEngine("instant");
const compose = findEngine("compose");
const hasServers = Object.values(engines).every(Boolean);

async function requestCode(authUrl: string): Promise<unknown> {
  const answer = await fetch(`${authUrl}/auth/request-code`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: `${crypto.randomUUID()}@example.com` }),
  });
  return answer.json();
}

const accepted = { message: "verification code sent to your email" };

async function choosePorts() {
  const ports = [String(await choosePort(0)), String(await choosePort(0))] as const;
  const environment = { AUTH_SERVICE_PORT: ports[0], EMAIL_SERVICE_PORT: ports[1] };
  return { environment, authUrl: `http://127.0.0.1:${ports[0]}` };
}

test("scripts/start runs from a fresh clone with npm, git and coreutils alone", async () => {
  using checkout = openCheckout();
  const { environment, authUrl } = await choosePorts();
  await using started = new InstantProcess([], {
    program: join(checkout.path, "scripts/start"),
    directory: checkout.path,
    environment: { ...checkout.environment, ...environment },
  });
  await started.ready(`${authUrl}/health`, 100_000);
  expect(await requestCode(authUrl)).toEqual(accepted);
  await eventually("the mail is sent", () => started.findLogs("Email sent successfully")[0]);
  expect(existsSync(join(checkout.path, ".cache/bun/bun"))).toBe(true);
  expect(await started.stop("SIGINT")).toBe(0);
}, 120_000);

test.skipIf(!hasServers)(
  "scripts/start --real sends a mail through Kafka, and Ctrl-C ends both services",
  async () => {
    using directory = temporaryDirectory();
    await using sink = await openSmtpSink();
    const { environment, authUrl } = await choosePorts();
    const name = `start-${crypto.randomUUID().slice(0, 8)}`;
    const redisUrl = new URL(engines.redis ?? "");
    redisUrl.pathname = "/8"; // a database that no other test uses
    await using started = new InstantProcess(["--real"], {
      program: join(repository, "scripts/start"),
      directory: repository,
      environment: {
        ...environment,
        HOME: directory.path,
        DATA_DIR: join(directory.path, "data"),
        KAFKA_BROKERS: engines.kafka ?? "",
        KAFKA_TOPIC_EMAIL_EVENTS: name,
        KAFKA_TOPIC_EMAIL_DLQ: `${name}-dlq`,
        KAFKA_CONSUMER_GROUP: name,
        REDIS_URL: redisUrl.href,
        DATABASE_URL: engines.postgres ?? "",
        DB_SCHEMA: name.replaceAll("-", "_"),
        SMTP_HOST: "127.0.0.1",
        SMTP_PORT: String(sink.port),
        SMTP_TLS: "none",
      },
    });
    await started.ready(`${authUrl}/health`, 60_000);
    expect(await requestCode(authUrl)).toEqual(accepted);
    await eventually("the mail is accepted", () => sink.acceptedTotal === 1);
    expect(await started.stop("SIGINT")).toBe(0);
    await expect(fetch(`${authUrl}/health`)).rejects.toThrow();
    expect(started.findLogs("Stopped")).toHaveLength(2);
  },
  90_000,
);

const composePath = resolve(import.meta.dir, "../../docker-compose.yml");

/** What of a Compose service a test can run without containers. */
interface ComposeService {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | number>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

function readComposeService(name: string): ComposeService {
  const file = Bun.YAML.parse(readFileSync(composePath, "utf8")) as {
    services: Record<string, ComposeService>;
  };
  const service = file.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

/**
 * Makes a value of the Compose file true outside of containers: what stands on the left, a host
 * or a path that only containers have, is replaced by what stands on the right.
 */
function replaceAll(value: string, replacements: Readonly<Record<string, string>>): string {
  // In one pass, so that what was put in is not replaced again.
  const quoted = Object.keys(replacements).map((key) => key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return value.replace(new RegExp(quoted.join("|"), "g"), (found) => replacements[found] ?? found);
}

/** The services as Compose would run them, but as processes here and on the test's engines. */
async function openComposition() {
  const directory = temporaryDirectory();
  const name = `compose-${crypto.randomUUID().slice(0, 8)}`;
  const envFile = join(directory.path, ".env");
  const redisUrl = new URL(engines.redis ?? "");
  redisUrl.pathname = "/9"; // a database that no other test uses
  const ports = [await choosePort(0), await choosePort(0)].map(String);
  const [authPort = "", emailPort = ""] = ports;
  const replacements = {
    "kafka:19092": engines.kafka ?? "",
    "redis://redis:6379/0": redisUrl.href,
    "postgres://instant:${POSTGRES_PASSWORD:-instant}@postgres:5432/instant":
      engines.postgres ?? "",
    "0.0.0.0": "127.0.0.1",
    "/data": join(directory.path, "data"),
    "/etc/instant/.env": envFile,
    "/usr/local/bin/instant": program ?? "",
    "8080": authPort,
    "8085": emailPort,
  };
  const settings = {
    // As in the guide: an address that is right for this machine, not for a container.
    KAFKA_BROKERS: "localhost:1",
    KAFKA_TOPIC_EMAIL_EVENTS: name,
    KAFKA_TOPIC_EMAIL_DLQ: `${name}-dlq`,
    KAFKA_CONSUMER_GROUP: name,
    DB_SCHEMA: name.replaceAll("-", "_"),
    ENABLE_KAFKA: "true",
    EMAIL_MODE: "log",
  };
  const processes: InstantProcess[] = [];
  return {
    authUrl: `http://127.0.0.1:${authPort}`,
    writeEnv: (changes: Record<string, string> = {}) => {
      const lines = Object.entries({ ...settings, ...changes }).map(([k, v]) => `${k}=${v}\n`);
      writeFileSync(envFile, lines.join(""));
    },
    run: (service: string) => {
      const { command, environment } = readComposeService(service);
      const started = new InstantProcess(
        command.map((word) => replaceAll(word, replacements)),
        {
          program: program ?? "",
          directory: directory.path,
          environment: Object.fromEntries(
            Object.entries(environment).map(([k, v]) => [k, replaceAll(String(v), replacements)]),
          ),
        },
      );
      processes.push(started);
      return started;
    },
    /** What Docker would ask; the exit code. */
    checkHealth: async (service: string) => {
      const [, ...words] = readComposeService(service).healthcheck.test;
      const check = words.map((word) => replaceAll(word, replacements));
      return Bun.spawn(check, { env: {}, stdout: "ignore", stderr: "ignore" }).exited;
    },
    [Symbol.asyncDispose]: async () => {
      for (const process of processes) await process[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

describe("docker-compose.yml", () => {
  test.skipIf(compose === undefined)("is valid for docker-compose", () => {
    using directory = temporaryDirectory();
    // Debian's docker-compose 1 knows all of it but the project's name, which Compose 2 has.
    const text = readFileSync(composePath, "utf8").replace(/^name:.*$/m, "");
    writeFileSync(join(directory.path, "docker-compose.yml"), text);
    writeFileSync(join(directory.path, ".env"), "");
    const command = [
      compose ?? "",
      "-p",
      "instant",
      "--profile",
      "monitoring",
      "config",
      "--services",
    ];
    const checked = Bun.spawnSync(command, { cwd: directory.path });
    expect(checked.stderr.toString()).toBe("");
    expect(checked.stdout.toString().trim().split("\n").toSorted()).toEqual([
      "auth-service",
      "create-topics",
      "email-service",
      "grafana",
      "kafka",
      "postgres",
      "prometheus",
      "redis",
    ]);
  });

  test("sets the project's name, so that the containers are named as in the guide", () => {
    expect(readFileSync(composePath, "utf8")).toMatch(/^name: instant$/m);
  });

  test.skipIf(program === undefined || !hasServers)(
    "its services run as configured, and a mail goes from one to the other",
    async () => {
      await using services = await openComposition();
      services.writeEnv();
      expect(await services.run("create-topics").end()).toBe(0);
      const email = services.run("email-service");
      const auth = services.run("auth-service");
      await auth.ready(`${services.authUrl}/health`);
      await eventually("serve-email is healthy", async () => {
        return (await services.checkHealth("email-service")) === 0;
      });
      expect(await services.checkHealth("auth-service")).toBe(0);
      expect(await requestCode(services.authUrl)).toEqual(accepted);
      await eventually("the mail is sent", () => email.findLogs("Email sent successfully")[0]);
      expect(await email.stop()).toBe(0);
      expect(await auth.stop()).toBe(0);
      expect(await services.checkHealth("auth-service")).toBe(1);
    },
    60_000,
  );

  test.skipIf(program === undefined || !hasServers)(
    "the rollback by editing .env and restarting auth-service needs no serve-email",
    async () => {
      await using services = await openComposition();
      services.writeEnv();
      expect(await services.run("create-topics").end()).toBe(0);
      const before = services.run("auth-service");
      await before.ready(`${services.authUrl}/health`);
      services.writeEnv({ ENABLE_KAFKA: "false" });
      expect(await before.stop()).toBe(0);
      const after = services.run("auth-service");
      await after.ready(`${services.authUrl}/health`);
      expect(await requestCode(services.authUrl)).toEqual(accepted);
      expect(after.findLogs("Email sent successfully")).toHaveLength(1);
    },
    60_000,
  );
});
