import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { openDevProcess } from "../support/dev-process.ts";
import { goodSecrets } from "../support/doctor.ts";
import { openNginx } from "../support/nginx.ts";
import { sendRaw } from "../support/raw-request.ts";

const program = findEngine("instant") ?? "";
const nginx = findEngine("nginx") ?? "";
const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const postgres = findEngine("postgres") ?? "";
const embedded = [program, nginx].every((engine) => engine !== "");
const complete = embedded && [kafka, redis, postgres].every((engine) => engine !== "");

const token = "Zk3nQ8vT1xYb6LrW0pJd";
const opsPaths = ["/", "/inbox", "/search", "/live", "/dead-letters", "/messages/some-id"];

describe.skipIf(!embedded)("the program behind nginx, without OPS_TOKEN", () => {
  test.each(["bare", "host", "usual", "forwarded"] as const)(
    "shows no page for operators through it, with %s headers, and still shows them to this machine",
    async (headers) => {
      await using dev = await openDevProcess(program);
      await dev.codeAfter("ana@example.com", () => dev.requestCode("ana@example.com"));
      await using proxy = await openNginx({ service: dev.emailUrl, headers });
      for (const path of opsPaths) {
        const answer = await proxy.fetch(path, { headers: { Accept: "text/html" } });
        expect([path, answer.status]).toEqual([path, 403]);
        expect(await answer.text()).not.toContain("ana@");
      }
      const inbox = await fetch(`${dev.emailUrl}/inbox`);
      expect([inbox.status, await inbox.text()]).toEqual([
        200,
        expect.stringContaining("ana@example.com"),
      ]);
    },
  );

  test.each(["usual", "forwarded"] as const)(
    "shows the metrics of no service through it, with %s headers",
    async (headers) => {
      await using dev = await openDevProcess(program);
      for (const service of [dev.authUrl, dev.emailUrl]) {
        await using proxy = await openNginx({ service, headers });
        expect((await proxy.fetch("/metrics")).status).toBe(404);
        expect((await fetch(`${service}/metrics`)).status).toBe(200);
      }
    },
  );

  test("warns in the log of the first request through a proxy that is not trusted", async () => {
    await using dev = await openDevProcess(program);
    await using proxy = await openNginx({ service: dev.authUrl, headers: "usual" });
    const warning = "X-Forwarded-For of an unknown proxy was ignored";
    await fetch(`${dev.authUrl}/health`);
    for (const from of ["203.0.113.7", "198.51.100.9"]) await proxy.fetch("/health", { from });
    const lines = await eventually("it warns", () => {
      const found = dev.process.findLogs(warning);
      return found.length > 0 && found;
    });
    expect(lines).toMatchObject([
      { level: "warn", service: "auth-service", peer: "127.0.0.1", fix: expect.any(String) },
    ]);
  });
});

describe.skipIf(!embedded)("sign-in behind nginx", () => {
  const few = { AUTH_ATTEMPTS_PER_CLIENT: "2", AUTH_ATTEMPTS_PER_EMAIL: "20" };
  const codeOf = (email: string, code: string) => ({
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, code }),
  });

  test("counts the wrong codes of each visitor apart, as docs/security.md configures it", async () => {
    const environment = { ...few, TRUSTED_PROXIES: "127.0.0.1" };
    await using dev = await openDevProcess(program, environment);
    const [shown = ""] = readCodeBlocks("docs/security.md", "nginx");
    const directives = shown.match(/proxy_set_header .*;/g) ?? [];
    await using proxy = await openNginx({ service: dev.authUrl, headers: "bare", directives });
    const enter = async (from: string) =>
      (await proxy.fetch("/auth/verify-code", { ...codeOf("ana@example.com", "000000"), from }))
        .status;
    const stranger = [await enter("203.0.113.7"), await enter("203.0.113.7")];
    expect([...stranger, await enter("203.0.113.7")]).toEqual([401, 401, 429]);
    expect(await enter("198.51.100.9")).toBe(401);
    expect(dev.process.findLogs("X-Forwarded-For of an unknown proxy was ignored")).toEqual([]);
  });
});

async function openProduction(environment: Readonly<Record<string, string>>) {
  const stack = new AsyncDisposableStack();
  const { schema } = stack.use(await openTestPostgres(postgres));
  const settings = {
    APP_ENV: "production",
    DATABASE_URL: postgres,
    DB_SCHEMA: schema,
    ...goodSecrets,
    ...environment,
  };
  const rig = stack.use(await openServiceRig({ program, kafka, redis, environment: settings }));
  return { rig, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(!complete)("serve-email in production", () => {
  test("closes the pages for operators without OPS_TOKEN, says so, and offers no login", async () => {
    await using production = await openProduction({});
    const worker = production.rig.start(["serve-email"]);
    const service = await urlOf(worker, "Email service started");
    await using proxy = await openNginx({ service, headers: "bare" });
    const paths = [...opsPaths, "/login"].filter((path) => path !== "/inbox");
    for (const path of paths) {
      for (const answer of [await fetch(service + path), await proxy.fetch(path)]) {
        expect([path, answer.status]).toEqual([path, 404]);
        expect(await answer.json()).toMatchObject({
          code: "ops_closed",
          detail: "The pages for operators are closed, because OPS_TOKEN is not set.",
        });
      }
    }
    expect((await fetch(`${service}/health`)).status).toBe(200);
    const phrase = "The pages for operators are closed, because OPS_TOKEN is not set";
    const warning = await eventually("it warns", () => worker.findLogs(phrase)[0]);
    expect(warning).toMatchObject({ level: "warn", fix: expect.stringContaining("OPS_TOKEN") });
  });

  test("lets the operator in after a stranger's ten wrong tokens through the same proxy", async () => {
    const environment = { OPS_TOKEN: token, TRUSTED_PROXIES: "127.0.0.1" };
    await using production = await openProduction(environment);
    const worker = production.rig.start(["serve-email"]);
    const service = await urlOf(worker, "Email service started");
    await using proxy = await openNginx({ service, headers: "usual" });
    const login = (from: string, typed: string) =>
      proxy.fetch("/login", {
        method: "POST",
        from,
        headers: { Origin: proxy.url },
        body: new URLSearchParams({ token: typed }),
      });
    for (let tries = 0; tries < 10; tries += 1) {
      expect((await login("203.0.113.7", "wrong")).status).toBe(401);
    }
    expect((await login("203.0.113.7", token)).status).toBe(429);
    const entered = await login("198.51.100.9", token);
    expect(entered.status).toBe(303);
    expect(entered.headers.get("Set-Cookie")).toContain("; Secure");
    const clients = worker.findLogs("Login to the operations pages failed");
    expect(new Set(clients.map(({ client }) => client))).toEqual(new Set(["203.0.113.7"]));
  });
});

describe.skipIf(!complete)("the services in production", () => {
  test("refuse to start with a placeholder as a secret, or one secret twice", async () => {
    await using production = await openProduction({});
    for (const [name, value, why] of [
      ["AUTH_SECRET", "changeme-changeme-changeme-changeme", "looks like a placeholder"],
      ["OPS_TOKEN", "changeme-changeme", "looks like a placeholder"],
      ["EMAIL_SECRET", goodSecrets.AUTH_SECRET, "is the same as AUTH_SECRET"],
    ] as const) {
      for (const service of ["serve-auth", "serve-email"]) {
        const started = production.rig.start([service], { [name]: value });
        expect([name, service, await started.end()]).toEqual([name, service, 2]);
        expect(started.output).toContain(`${name} ${why}`);
        expect(started.output).not.toContain(value);
      }
    }
  });

  test("warn at the start that browsers drop the cookie, and of proxies that are everybody", async () => {
    const environment = {
      PUBLIC_URL: "http://sign-in.example.com",
      TRUSTED_PROXIES: "0.0.0.0/0",
      OPS_TOKEN: token,
    };
    await using production = await openProduction(environment);
    const auth = production.rig.start(["serve-auth"]);
    await urlOf(auth, "Auth service started");
    await eventually("it warns of both", () => {
      return (
        /"level":"warn".*browsers drop the cookie/.test(auth.output) &&
        /"level":"warn".*TRUSTED_PROXIES has 0\.0\.0\.0\/0/.test(auth.output)
      );
    });
  });
});

/** What no URL can have as its host, and targets that are no path. */
const badHosts = [
  "a b",
  "a, b",
  "a:99999",
  "a:b",
  "[::1",
  "<script>",
  "user@localhost",
  "a/b",
  "%zz",
];
const oddTargets = ["//evil.example/x", "/%zz", "/%ff", "/users/%ff", "/mails/%ff", "/?%zz=%ff"];

describe.skipIf(program === "")("the services", () => {
  test("answer 400 for a Host that is none, and never 500 for a target", async () => {
    await using dev = await openDevProcess(program);
    for (const url of [dev.authUrl, dev.emailUrl]) {
      const port = Number(new URL(url).port);
      const statusOf = async (start: string, host: string) => {
        const request = `${start} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`;
        return (await sendRaw(port, request)).split(" ", 2)[1];
      };
      for (const host of badHosts) {
        for (const start of [
          "GET /",
          "GET /metrics",
          "GET /health",
          "POST /login",
          "OPTIONS /auth/me",
        ]) {
          expect([start, host, await statusOf(start, host)]).toEqual([start, host, "400"]);
        }
      }
      for (const target of oddTargets) {
        const status = await statusOf(`GET ${target}`, new URL(url).host);
        expect([target, Number(status) < 500]).toEqual([target, true]);
      }
    }
    const twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    const port = Number(new URL(dev.authUrl).port);
    const answer = await sendRaw(port, twice);
    expect(answer).toStartWith("HTTP/1.1 400");
    expect(answer).toContain("application/problem+json");
    expect(dev.process.findLogs("Request failed unexpectedly")).toEqual([]);
  });
});
