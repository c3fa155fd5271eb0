import { expect, test } from "bun:test";
import type { HttpServerOptions } from "../../src/core/http/app.ts";
import { createHttpApp, openHttpServer } from "../../src/core/http/app.ts";
import { clientAddress } from "../../src/core/http/problem.ts";
import { createLog, silentLog } from "../../src/core/log.ts";
import { sendRaw } from "../support/raw-request.ts";

async function start(options: Partial<HttpServerOptions>) {
  const server = openHttpServer({
    fetch: () => new Response("ok"),
    hostname: "127.0.0.1",
    port: 0,
    log: silentLog,
    ...options,
  });
  await server.start();
  return server;
}

test("port 0 takes a free one and reports it", async () => {
  await using server = await start({});
  expect(server.port).toBeGreaterThan(0);
  expect(await (await fetch(server.url)).text()).toBe("ok");
});

test("the app sees the client's address", async () => {
  const app = createHttpApp({ log: silentLog });
  app.get("/", (context) => context.text(clientAddress(context) ?? "none"));
  await using server = await start({ fetch: app.fetch });
  expect(await (await fetch(server.url)).text()).toBe("127.0.0.1");
});

test("a port in use is one clear error", async () => {
  await using server = await start({});
  const second = start({ port: server.port });
  await expect(second).rejects.toThrow(
    `The port is in use by another program: 127.0.0.1:${server.port}; stop the other program, or choose another port`,
  );
});

test("an address of another machine is one clear error", async () => {
  await expect(start({ hostname: "192.0.2.1" })).rejects.toThrow("Cannot listen on the address");
});

test("stop finishes the request in flight and accepts no other", async () => {
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const server = await start({
    fetch: async () => {
      arrived.resolve();
      await go.promise;
      return new Response("finished");
    },
  });
  const answer = fetch(server.url).then((response) => response.text());
  await arrived.promise;
  const stopped = server.stop();
  await expect(fetch(server.url)).rejects.toThrow();
  go.resolve();
  expect(await answer).toBe("finished");
  await stopped;
  await server.stop(); // idempotent
});

test("stop cuts off a request that outlives the deadline, and logs it", async () => {
  const arrived = Promise.withResolvers<void>();
  const lines: string[] = [];
  const server = await start({
    stopDeadlineMs: 50,
    log: createLog({ service: "test", level: "warn", write: (line) => lines.push(line) }),
    fetch: () => {
      arrived.resolve();
      return new Promise<Response>(() => {});
    },
  });
  const answer = fetch(server.url);
  answer.catch(() => {});
  await arrived.promise;
  await server.stop();
  await expect(answer).rejects.toThrow();
  expect(lines.join("")).toContain("HTTP requests were cut off");
});

test("an oversize upload is answered with a problem, over a socket too", async () => {
  const app = createHttpApp({ log: silentLog });
  app.post("/", (context) => context.text("taken"));
  await using server = await start({ fetch: app.fetch });
  const response = await fetch(server.url, { method: "POST", body: "x".repeat(200_000) });
  expect(response.status).toBe(413);
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
});

test("a request without a Host finds its route", async () => {
  const app = createHttpApp({ log: silentLog });
  app.get("/livez", (context) => context.text(context.req.query("a") ?? ""));
  await using server = await start({ fetch: app.fetch });
  const answer = await sendRaw(server.port, "GET /livez?a=b HTTP/1.0\r\n\r\n");
  expect(answer).toStartWith("HTTP/1.1 200");
});
