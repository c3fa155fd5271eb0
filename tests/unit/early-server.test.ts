import { expect, test } from "bun:test";
import { openEarlyServer } from "../../src/core/http/early-server.ts";
import { silentLog } from "../../src/core/log.ts";

async function startEarly() {
  const server = openEarlyServer({ hostname: "127.0.0.1", port: 0, log: silentLog });
  await server.start();
  return server;
}

async function read(url: string) {
  const answer = await fetch(url);
  return [answer.status, await answer.json()] as const;
}

test("before the app is there, probes are answered: alive, and not ready", async () => {
  await using server = await startEarly();
  expect(await read(`${server.url}/livez`)).toEqual([200, { status: "alive" }]);
  const reasons = ["the service is starting"];
  expect(await read(`${server.url}/readyz?verbose`)).toEqual([
    503,
    { status: "not_ready", reasons },
  ]);
});

test("a request waits for the app, which then answers the probes too", async () => {
  await using server = await startEarly();
  const waiting = read(`${server.url}/users/1?full=1`);
  await read(`${server.url}/livez`); // sent later, and already answered
  server.serve((request) => Response.json({ path: new URL(request.url).pathname }));
  expect(await waiting).toEqual([200, { path: "/users/1" }]);
  expect(await read(`${server.url}/readyz`)).toEqual([200, { path: "/readyz" }]);
});

test("a server that is stopped before its app is there refuses the requests that wait", async () => {
  const server = await startEarly();
  const waiting = read(`${server.url}/health`);
  await read(`${server.url}/livez`);
  await server.stop();
  expect(await waiting).toMatchObject([503, { code: "not_serving" }]);
});
