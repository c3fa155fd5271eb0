import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { composePath, readComposeService, replaceAll } from "../support/compose-file.ts";

const compose = findEngine("compose");
const program = findEngine("instant");
const engines = {
  kafka: findEngine("kafka"),
  redis: findEngine("redis"),
  postgres: findEngine("postgres"),
};
const complete = program !== undefined && Object.values(engines).every(Boolean);

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

async function requestCode(authUrl: string): Promise<unknown> {
  const answer = await fetch(`${authUrl}/auth/request-code`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: `${crypto.randomUUID()}@example.com` }),
  });
  return answer.json();
}

const accepted = { message: "verification code sent to your email" };

describe("docker-compose.yml", () => {
  test.skipIf(compose === undefined)("is understood by docker-compose", () => {
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

  test("carries the project's name, so that the containers are named as the guide says", () => {
    expect(readFileSync(composePath, "utf8")).toMatch(/^name: instant$/m);
  });

  test.skipIf(!complete)(
    "its services run as described, and a mail goes from one to the other",
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

  test.skipIf(!complete)(
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
