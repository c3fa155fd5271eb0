import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
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
});
