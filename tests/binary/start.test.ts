import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { openCheckout, repository } from "../support/checkout.ts";

const engines = {
  kafka: findEngine("kafka"),
  redis: findEngine("redis"),
  postgres: findEngine("postgres"),
};
const complete = Object.values(engines).every(Boolean);

async function requestCode(authUrl: string): Promise<unknown> {
  const answer = await fetch(`${authUrl}/auth/request-code`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "test@example.com" }),
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

test.skipIf(!complete)(
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
