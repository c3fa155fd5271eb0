import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { openHttpServer } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";
import { findEngine } from "../../support/engines.ts";
import { openNginx } from "../support/nginx.ts";
import { openEmbeddedWorld } from "../support/sign-in-world.ts";

const nginx = findEngine("nginx") ?? "";

/** Sends bytes on one connection, and returns all that came when it is closed. */
function exchange(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const answer = Promise.withResolvers<string>();
  let text = "";
  const socket = connect(Number(port), hostname, () => socket.write(request));
  socket.on("data", (bytes) => {
    text += bytes.toString();
  });
  socket.on("error", answer.reject);
  socket.on("close", () => answer.resolve(text));
  return answer.promise;
}

describe.skipIf(nginx === "")("behind nginx", () => {
  test("a chunked body with trailers is taken, and so is the next request on the connection", async () => {
    await using world = await openEmbeddedWorld();
    const { fetch } = world.app;
    await using server = openHttpServer({ fetch, hostname: "127.0.0.1", port: 0, log: silentLog });
    await server.start();
    await using proxy = await openNginx({ service: server.url, headers: "usual" });
    const body = JSON.stringify({ email: "ana@example.com" });
    const text = await exchange(
      proxy.plainUrl,
      [
        "POST /auth/request-code HTTP/1.1",
        "Host: id.example.com",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        "Trailer: X-Checksum",
        "",
        body.length.toString(16),
        body,
        "0",
        "X-Checksum: 1",
        "",
        "GET /livez HTTP/1.1",
        "Host: id.example.com",
        "Connection: close",
        "",
        "",
      ].join("\r\n"),
    );
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
    expect(world.publisher.events).toHaveLength(1);
  });

  test.each([66_000, 900_000])(
    "a refused body of %d bytes is answered, not cut off while nginx still writes",
    async (size) => {
      await using world = await openEmbeddedWorld();
      const { fetch } = world.app;
      await using server = openHttpServer({
        fetch,
        hostname: "127.0.0.1",
        port: 0,
        log: silentLog,
      });
      await server.start();
      await using proxy = await openNginx({ service: server.url, headers: "usual" });
      const statuses: string[] = [];
      for (let time = 0; time < 15; time += 1) {
        for (const coding of ["identity", "gzip"]) {
          const answer = await proxy.fetch("/auth/request-code", {
            method: "POST",
            headers: { "Content-Type": "application/json", "Content-Encoding": coding },
            body: "x".repeat(size),
          });
          await answer.arrayBuffer();
          statuses.push(`${coding} ${answer.status}`);
        }
      }
      expect(proxy.failures()).toEqual([]);
      expect([...new Set(statuses)].toSorted()).toEqual(["gzip 415", "identity 413"]);
    },
  );

  test.each(["GET", "HEAD"])("a %s with a long body is answered, too", async (method) => {
    await using world = await openEmbeddedWorld();
    const { fetch } = world.app;
    await using server = openHttpServer({ fetch, hostname: "127.0.0.1", port: 0, log: silentLog });
    await server.start();
    await using proxy = await openNginx({ service: server.url, headers: "usual" });
    const asked = [16_000, 60_000, 900_000].flatMap((size) =>
      Array.from({ length: 6 }, () =>
        exchange(
          proxy.plainUrl,
          `${method} /livez HTTP/1.1\r\nHost: id.example.com\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n${"x".repeat(size)}`,
        ),
      ),
    );
    const answers = await Promise.all(asked);
    const statuses = answers.map((text) => text.split(" ")[1]);
    const bounds = method === "GET" ? answers.filter((text) => !text.includes("8192 bytes")) : [];
    expect(bounds).toEqual([]);
    expect(proxy.failures()).toEqual([]);
    expect([...new Set(statuses)]).toEqual(["413"]);
  });

  test("a method that HTTP does not have is refused by nginx, as docs/operating.md has it", async () => {
    await using world = await openEmbeddedWorld();
    const { fetch } = world.app;
    await using server = openHttpServer({ fetch, hostname: "127.0.0.1", port: 0, log: silentLog });
    await server.start();
    const docs = readFileSync(resolve(import.meta.dir, "../../docs/operating.md"), "utf8");
    const directive = /^if \(\$request_method .*$/m.exec(docs)?.[0] ?? "";
    expect(directive).not.toBe("");
    await using proxy = await openNginx({
      service: server.url,
      headers: "usual",
      directives: [directive],
    });
    const statusOf = async (method: string, path: string) => {
      const request = `${method} ${path} HTTP/1.1\r\nHost: id.example.com\r\nConnection: close\r\n\r\n`;
      const answer = await exchange(proxy.plainUrl, request); // fetch makes a GET of what it does not know
      return Number(answer.split(" ")[1]);
    };
    for (const method of ["FOO", "BREW"]) expect(await statusOf(method, "/")).toBe(405);
    for (const method of ["GET", "HEAD"]) expect(await statusOf(method, "/livez")).toBe(200);
    for (const method of ["POST", "PATCH", "DELETE"]) {
      expect(await statusOf(method, "/auth/session")).toBe(405);
    }
  });
});
