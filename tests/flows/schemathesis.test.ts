import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { deriveCode } from "../../src/auth/codes/code-store.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { openOwnRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const support = join(import.meta.dir, "../support/schemathesis");
const seed = process.env["FUZZ_SEED"] ?? String(Date.now() % 1_000_000);
const examplesPerOperation = process.env["SCHEMATHESIS_EXAMPLES"] ?? "10";
const authSecret = "a secret of the schemathesis test, which is long enough";
const limits = ["CODES_PER_CLIENT", "CODES_GLOBAL", "ATTEMPTS_PER_CLIENT", "ATTEMPTS_GLOBAL"];

const program = findEngine("instant");
const schemathesis = findEngine("schemathesis");
const [kafka, redis, postgres] = (["kafka", "redis", "postgres"] as const).map(findEngine);

type Engines = Readonly<Record<string, string>>;

const engines: [string, Engines][] = [["embedded engines", {}]];
if (kafka !== undefined && redis !== undefined && postgres !== undefined) {
  const topic = `t${crypto.randomUUID().slice(0, 8)}`;
  const topics = { KAFKA_TOPIC_EMAIL_EVENTS: topic, KAFKA_TOPIC_EMAIL_DLQ: `${topic}-dlq` };
  const servers = { KAFKA_BROKERS: kafka, REDIS_URL: redis, DATABASE_URL: postgres, ...topics };
  engines.push(["Kafka, Redis and Postgres", servers]);
}

const run = crypto.randomUUID().slice(0, 8);
let people = 0;

/**
 * Signs a new person in: the one before may have deleted the account, or entered too many wrong codes.
 * The code is derived rather than read from a mail.
 */
async function signIn(service: InstantProcess, url: string): Promise<string> {
  people += 1;
  const email = `fuzz-${run}-${people}@example.com`;
  const post = (path: string, body: object) =>
    fetch(`${url}${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const asked = await post("/auth/request-code", { email });
  const requestId = asked.headers.get("X-Request-Id");
  const line = await eventually("the request is in the log", () =>
    service
      .findLogs("Verification code requested")
      .find((logged) => logged["requestId"] === requestId),
  );
  const messageId = String(line["messageID"]);
  const code = deriveCode(authSecret, { email, purpose: "sign_in" }, messageId);
  const answer = await post("/auth/verify-code", { email, code });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { token: string }).token;
}

describe.if(program !== undefined && schemathesis !== undefined)("schemathesis, signed in", () => {
  test.each(engines)(
    "finds no undocumented answer and no fault of serve-auth on %s",
    async (_name, servers) => {
      using directory = temporaryDirectory();
      // Its requests use up the budgets of 127.0.0.1, which other tests have in the shared one.
      await using own = "REDIS_URL" in servers ? await openOwnRedis() : undefined;
      const quotas = limits.map((name) => [`AUTH_${name}`, "100000"]);
      const options = {
        program: program ?? "",
        directory: directory.path,
        environment: {
          DATA_DIR: directory.path,
          AUTH_SECRET: authSecret,
          AUTH_SERVICE_PORT: "0",
          ...Object.fromEntries(quotas),
          ...servers,
          ...(own && { REDIS_URL: own.url }),
        },
      };
      await using topics = new InstantProcess(["create-topics"], options);
      expect(await topics.end()).toBe(0);
      await using service = new InstantProcess(["serve-auth"], options);
      const started = await eventually("serve-auth has started", () =>
        service.findLogs("Auth service started").at(0),
      );
      const url = String(started["url"]);
      let token = await signIn(service, url);
      using tokens = Bun.serve({
        port: 0,
        fetch: async () => {
          const headers = { Authorization: `Bearer ${token}` };
          const session = await fetch(`${url}/auth/session`, { headers });
          if (!session.ok) token = await signIn(service, url);
          return new Response(token);
        },
      });
      const asking = Bun.spawn(
        [
          schemathesis ?? "",
          `--config-file=${join(support, "schemathesis.toml")}`,
          "run",
          `${url}/openapi.json`,
          `--seed=${seed}`,
          `--max-examples=${examplesPerOperation}`,
          "--phases=examples,coverage,fuzzing,stateful",
        ],
        {
          cwd: directory.path,
          env: {
            PATH: process.env["PATH"],
            SCHEMATHESIS_HOOKS: join(support, "hooks.py"),
            TOKEN_URL: `http://127.0.0.1:${tokens.port}/`,
          },
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const [output, errors, code] = await Promise.all([
        new Response(asking.stdout).text(),
        new Response(asking.stderr).text(),
        asking.exited,
      ]);
      expect(code, `${output}${errors}`).toBe(0);
      expect(output).toContain("Stateful");
    },
    300_000,
  );
});
