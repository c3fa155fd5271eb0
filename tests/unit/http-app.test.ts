import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { z } from "zod";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { createHttpApp } from "../../src/core/http/app.ts";
import { limitBody, readJson } from "../../src/core/http/body.ts";
import { jsonResponse } from "../../src/core/http/headers.ts";
import type { DrawProblem, HttpEnvironment } from "../../src/core/http/problem.ts";
import { clientAddress, respondToError } from "../../src/core/http/problem.ts";
import { createLog, runInTraceContext, silentLog } from "../../src/core/log.ts";
import { problemOf } from "../support/sign-in-world.ts";

const bodySchema = z.object({ name: z.string().max(10), age: z.number().optional() });

function openApp() {
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "debug", write: (line) => lines.push(line) });
  const app = createHttpApp({ log });
  app.get("/ok", (c) => c.json({ ok: true }));
  app.get("/health", (c) => c.json({ ok: true }));
  app.get("/address", (c) => c.text(clientAddress(c) ?? "none"));
  app.get("/own-policy", (c) => c.text("x", 200, { "Content-Security-Policy": "own" }));
  app.post("/echo", async (c) => c.json(await readJson(c, bodySchema)));
  app.get("/unavailable", () => {
    throw new InstantError(coreErrors.redisUnavailable, { detail: "10.0.0.7:6379" });
  });
  app.get("/bug", () => {
    throw new Error("secret internals");
  });
  const post = (
    body: string | Uint8Array<ArrayBuffer> | ReadableStream,
    headers: Record<string, string> = {},
  ) =>
    app.request("/echo", {
      method: "POST",
      body,
      headers: { "Content-Type": "application/json", ...headers },
    });
  return { app, lines, post };
}

describe("request id", () => {
  test("is in an answer that a handler built itself", async () => {
    const { app } = openApp();
    app.get("/own", () => new Response("<!doctype html>"));
    const response = await app.request("/own", { headers: { "X-Request-Id": "abc" } });
    expect(response.headers.get("X-Request-Id")).toBe("abc");
  });

  test("a valid one is kept in the answer and the log", async () => {
    const { app, lines } = openApp();
    const response = await app.request("/ok", { headers: { "X-Request-Id": "abc-123_x=" } });
    expect(response.headers.get("X-Request-Id")).toBe("abc-123_x=");
    expect(lines.join("")).toContain('"requestId":"abc-123_x="');
  });

  test.each(["has space", "x".repeat(65), "a<b>"])("%j is replaced by a new one", async (given) => {
    const { app } = openApp();
    const response = await app.request("/ok", { headers: { "X-Request-Id": given } });
    expect(response.headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("answers that are not a success", () => {
  test("an unknown path is a 404 problem", async () => {
    const { app } = openApp();
    const response = await app.request("/nothing");
    expect(await problemOf(response)).toMatchObject({ status: 404, code: "not_found" });
  });

  test("a wrong method is a 405 problem with Allow", async () => {
    const { app } = openApp();
    const response = await app.request("/echo", { method: "DELETE" });
    expect(response.headers.get("Allow")).toBe("POST");
    expect(await problemOf(response)).toMatchObject({ status: 405, code: "method_not_allowed" });
  });

  test("HEAD is answered where GET is", async () => {
    const { app } = openApp();
    expect((await app.request("/ok", { method: "HEAD" })).status).toBe(200);
    const refused = await app.request("/ok", { method: "POST" });
    expect(refused.headers.get("Allow")).toBe("GET, HEAD");
  });

  test("an unavailable engine is a 503 with Retry-After that reveals nothing internal", async () => {
    const { app, lines } = openApp();
    const response = await app.request("/unavailable");
    expect(response.headers.get("Retry-After")).toBe("5");
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status: 503, code: "redis_unavailable" });
    expect(JSON.stringify(problem)).not.toContain("10.0.0.7");
    expect(lines.join("")).toContain("10.0.0.7");
  });

  test("a bug of ours is a bare 500, and an error line", async () => {
    const { app, lines } = openApp();
    const problem = await problemOf(await app.request("/bug"));
    expect(problem).toMatchObject({ status: 500, code: "internal_error" });
    expect(JSON.stringify(problem)).not.toContain("internals");
    const line = lines.find((text) => text.includes("secret internals"));
    expect(JSON.parse(line ?? "{}")).toMatchObject({ level: "error" });
  });
});

describe("JSON bodies", () => {
  test("a valid one is parsed, unknown fields are dropped", async () => {
    const { post } = openApp();
    const response = await post('{"name":"Ana","more":1}');
    expect(await response.json()).toEqual({ name: "Ana" });
  });

  test.each([["{"], ["name=Ana"], [""]])("%j is a 400", async (body) => {
    const { post } = openApp();
    expect(await problemOf(await post(body))).toMatchObject({
      status: 400,
      code: "malformed_json",
    });
  });

  test("bytes that are not UTF-8 are a 400", async () => {
    const { post } = openApp();
    expect((await post(new Uint8Array([0x22, 0xff, 0x22]))).status).toBe(400);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])(
    "the content type %s is a 415",
    async (type) => {
      const { post } = openApp();
      const response = await post('{"name":"Ana"}', { "Content-Type": type });
      expect(await problemOf(response)).toMatchObject({ code: "unsupported_media_type" });
      expect(response.status).toBe(415);
    },
  );

  test.each([
    ["missing", "{}", "name", "is required"],
    ["of a wrong type", '{"name":7}', "name", "must be text"],
    ["null", '{"name":null}', "name", "must be text"],
    ["over-long", '{"name":"12345678901"}', "name", "must be at most 10 characters long"],
    ["not an object", "[]", "", "must be a JSON object"],
    ["a wrong number", '{"name":"a","age":"7"}', "age", "must be a number"],
  ])("a field that is %s is a 422 that names it", async (_, body, field, message) => {
    const { post } = openApp();
    const problem = await problemOf(await post(body));
    expect(problem).toMatchObject({ status: 422, errors: [{ field, message }] });
    expect(problem["detail"]).toContain(message);
  });

  test.each(["gzip", "GZIP", "br", "identity, gzip", "x-unknown"])(
    "in the content coding %s are a 415 that names what is accepted, and are not read",
    async (coding) => {
      const { post } = openApp();
      const body = Bun.gzipSync(Buffer.from('{"name":"Ana"}'));
      for (const sent of [body, '{"name":"Ana"}']) {
        const response = await post(sent, { "Content-Encoding": coding });
        const problem = await problemOf(response);
        expect(problem).toMatchObject({ status: 415, code: "unsupported_content_encoding" });
        expect(response.headers.get("Accept-Encoding")).toBe("identity");
      }
    },
  );

  test("in the content coding identity are as without any", async () => {
    const { post } = openApp();
    expect((await post('{"name":"Ana"}', { "Content-Encoding": "identity" })).status).toBe(200);
  });

  test("64 KiB are accepted, one byte more is a 413", async () => {
    const { post } = openApp();
    const most = `{"name":"Ana"}${" ".repeat(64 * 1024 - 14)}`;
    expect((await post(most)).status).toBe(200);
    expect(await problemOf(await post(`${most} `))).toMatchObject({ code: "body_too_large" });
  });

  test("an oversize body that does not announce its length is a 413", async () => {
    const { post } = openApp();
    const chunk = new Uint8Array(40_000).fill(32);
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(chunk);
      },
    });
    expect((await post(stream)).status).toBe(413);
  });
});

test("a body that does not arrive in time is a 408", async () => {
  const { readable } = new TransformStream();
  const late = new Hono<HttpEnvironment>();
  late.post("/", async (context) => (await limitBody(context, 20)) ?? context.body(null));
  late.onError((error, context) => respondToError(error, context, silentLog));
  const response = await late.request("/", { method: "POST", body: readable });
  expect(response.status).toBe(408);
});

describe("headers and the access log", () => {
  test("every answer has the security headers", async () => {
    const { app } = openApp();
    for (const path of ["/ok", "/nothing", "/bug"]) {
      const { headers } = await app.request(path);
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(headers.get("Content-Security-Policy")).toContain("default-src 'none'");
      expect(headers.get("X-Frame-Options")).toBe("DENY");
    }
  });

  test("a handler's own policy is kept", async () => {
    const { app } = openApp();
    const { headers } = await app.request("/own-policy");
    expect(headers.get("Content-Security-Policy")).toBe("own");
  });

  test("a line per request names the route, never the path or the query", async () => {
    const { app, lines } = openApp();
    await app.request("/ok?token=in-the-query");
    await app.request("/secret-path?token=in-the-query");
    await app.request("/health");
    const seen = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(seen.map(({ level, route, status, msg }) => ({ level, route, status, msg }))).toEqual([
      { level: "debug", route: "/ok", status: 200, msg: "HTTP request" },
      { level: "info", route: "/*", status: 404, msg: "HTTP request" },
      { level: "debug", route: "/health", status: 200, msg: "HTTP request" },
    ]);
    expect(lines.join("")).not.toMatch(/in-the-query|secret-path/);
  });

  test("the line of a request is the one that pino writes, byte for byte", async () => {
    const lines: string[] = [];
    const write = (line: string) => lines.push(line);
    const log = createLog({ service: "test", level: "info", write }).child({ part: 'a "b"' });
    const app = createHttpApp({ log });
    app.post("/mails/:id{\\d+}", (context) => context.json({}));
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const headers = { traceparent, "X-Request-Id": "abc-123_x=" };
    await app.request("/mails/7", { method: "POST", headers });
    await app.request("/mails/7", { method: "DELETE", headers });
    for (const line of lines) {
      const { level: _, time, service: __, part: ___, traceId, msg, ...fields } = JSON.parse(line);
      runInTraceContext({ traceId, spanId: "", flags: "" }, () => log.info(fields, msg));
      expect(lines.pop()?.replace(/"time":"[^"]+"/, `"time":"${time}"`)).toBe(line);
    }
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { route: "/mails/:id{\\d+}", status: 200 },
      { route: "/*", status: 405 },
    ]);
  });

  test("the security headers are those of Hono's secureHeaders", async () => {
    const theirs = new Hono().use(
      secureHeaders({
        originAgentCluster: false,
        strictTransportSecurity: "max-age=15552000",
        xFrameOptions: "DENY",
        contentSecurityPolicy: {
          defaultSrc: ["'none'"],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          frameAncestors: ["'none'"],
        },
      }),
    );
    theirs.get("/ok", (context) => context.json({ ok: true }, 200, { "X-Request-Id": "a" }));
    const expected = await theirs.request("/ok");
    const { app } = openApp();
    app.get("/busy", () => jsonResponse({ ok: true }));
    for (const path of ["/ok", "/busy", "/busy"]) {
      const answer = await app.request(path, { headers: { "X-Request-Id": "a" } });
      expect([...answer.headers]).toEqual([...expected.headers]);
      expect(await answer.json()).toEqual({ ok: true });
      answer.headers.set("X-Frame-Options", "of this answer only");
    }
  });

  test.each([
    [undefined, "max-age=15552000"],
    [false, "max-age=15552000"],
    [true, "max-age=15552000; includeSubDomains"],
  ])("HSTS_SUBDOMAINS=%p asks browsers for %s", async (hstsSubdomains, expected) => {
    const app = createHttpApp({ log: silentLog, hstsSubdomains });
    app.get("/ok", (context) => context.json({ ok: true }));
    app.get("/busy", () => jsonResponse({ ok: true }));
    for (const path of ["/ok", "/busy", "/busy", "/nowhere"]) {
      const { headers } = await app.request(path);
      expect(headers.get("Strict-Transport-Security")).toBe(expected);
    }
  });

  test("the client's address is that of the connection, or unknown", async () => {
    const { app } = openApp();
    expect(await (await app.request("/address")).text()).toBe("none");
    const known = await app.request("/address", {}, { clientAddress: "192.0.2.7" });
    expect(await known.text()).toBe("192.0.2.7");
  });
});

describe("a problem page", () => {
  function openPages() {
    const drawProblem: DrawProblem = ({ code, status }, { req }) =>
      req.path === "/api" ? undefined : new Response(`<p>${code}</p>`, { status });
    const app = createHttpApp({ log: silentLog, drawProblem });
    app.get("/unavailable", () => {
      throw new InstantError(coreErrors.redisUnavailable);
    });
    return app;
  }
  const browser = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

  test("is for browsers, with the status and headers of the problem", async () => {
    const answer = await openPages().request("/unavailable", { headers: browser });
    expect(await answer.text()).toBe("<p>redis_unavailable</p>");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("5");
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    const refused = await openPages().request("/unavailable", {
      method: "DELETE",
      headers: browser,
    });
    expect(await refused.text()).toBe("<p>method_not_allowed</p>");
    expect(refused.headers.get("Allow")).toBe("GET, HEAD");
  });

  test.each([
    ["accepts anything", "/nowhere", { Accept: "*/*" }],
    ["names no type", "/nowhere", {}],
    ["prefers JSON", "/nowhere", { Accept: "application/problem+json,text/html;q=0.5" }],
    ["asks where there is no page", "/api", browser],
  ])("stays JSON for a client that %s", async (_, path, headers) => {
    await problemOf(await openPages().request(path, { headers }));
  });
});
