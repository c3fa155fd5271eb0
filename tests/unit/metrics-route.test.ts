import { expect, test } from "bun:test";
import { createHttpApp } from "../../src/core/http/app.ts";
import type { MetricsReaders } from "../../src/core/http/metrics.ts";
import { addMetricsRoute } from "../../src/core/http/metrics.ts";
import { silentLog } from "../../src/core/log.ts";
import { Metrics } from "../../src/core/metrics.ts";

const token = "a-token-for-Prometheus-that-is-long-enough";

async function ask(
  readers: MetricsReaders,
  { url = "http://localhost/metrics", from = "127.0.0.1", headers = {} } = {},
): Promise<number> {
  const app = createHttpApp({ log: silentLog });
  addMetricsRoute(app, new Metrics(), readers);
  return (await app.request(url, { headers }, { clientAddress: from })).status;
}

test.each([
  ["with the token", { Authorization: `Bearer ${token}` }, 200],
  ["with another", { Authorization: `Bearer ${token.replace("a", "b")}` }, 404],
  ["with a shorter one", { Authorization: "Bearer a" }, 404],
  ["with none, from the same machine", {}, 404],
  ["by another scheme", { Authorization: `Basic ${token}` }, 404],
])("where a token is set, a request %s gets its status", async (_, headers, status) => {
  expect(await ask({ token, loopback: true }, { headers })).toBe(status);
});

test("without a token, it answers only this machine, by a loopback name", async () => {
  const readers = { token: undefined, loopback: true };
  expect(await ask(readers)).toBe(200);
  expect(await ask(readers, { from: "203.0.113.7" })).toBe(404);
  expect(await ask(readers, { url: "http://rebound.example.com/metrics" })).toBe(404);
  for (const name of ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"]) {
    expect(await ask(readers, { headers: { [name]: "203.0.113.7" } })).toBe(404);
  }
  expect(await ask(readers, { headers: { Connection: "close" } })).toBe(404);
});

test("without a token in production, it answers nobody", async () => {
  expect(await ask({ token: undefined, loopback: false })).toBe(404);
});
