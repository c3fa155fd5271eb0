import { describe, expect, test } from "bun:test";
import { openEmbeddedWorld, problemOf } from "../support/sign-in-world.ts";

const host = { Host: "auth.example.com" };
const app = "https://app.example.com";
const boundary = {
  trustedProxies: [],
  corsOrigins: [app],
  publicOrigin: "https://sign-in.example.com",
};

/** Signs in, then writes with the cookie and these headers. */
async function writeWith(headers: Record<string, string>, settings = {}): Promise<Response> {
  await using world = await openEmbeddedWorld(settings);
  const { token } = await world.signIn("test@example.com");
  const cookie = { Cookie: `session_id=${token}`, ...host, ...headers };
  const response = await world.request("/auth/logout", { method: "POST", headers: cookie });
  const alive = (await world.request("/auth/session", { token })).status === 200;
  expect(alive).toBe(response.status !== 204); // refused: nothing was done
  return response;
}

describe("a write with the cookie", () => {
  test.each([
    ["of the same origin", { Origin: "https://auth.example.com" }],
    ["of the same origin, in the clear behind a TLS proxy", { Origin: "http://auth.example.com" }],
    [
      "of the same origin, whose Host names the port of https",
      {
        Origin: "https://auth.example.com",
        Host: "Auth.example.com:443",
      },
    ],
    [
      "of the same origin, whose Host names the port of http",
      {
        Origin: "http://auth.example.com",
        Host: "auth.example.com:80",
      },
    ],
    [
      "that the browser reports as same-origin",
      { "Sec-Fetch-Site": "same-origin", Origin: "null" },
    ],
  ])("is taken from a page %s", async (_, headers) => {
    expect((await writeWith(headers)).status).toBe(204);
  });

  test.each([
    ["of another site", { Origin: "https://evil.example" }],
    ["of a neighbour", { Origin: "https://evil.example.com", "Sec-Fetch-Site": "same-site" }],
    ["of a neighbour, without Sec-Fetch-Site", { Origin: "https://evil.example.com" }],
    ["on another port", { Origin: "https://auth.example.com:8443" }],
    ["with the origin null", { Origin: "null" }],
    ["that the browser reports as cross-site", { "Sec-Fetch-Site": "cross-site" }],
    ["with a malformed origin", { Origin: "auth.example.com" }],
    [
      "of the same name on the port of http",
      {
        Origin: "https://auth.example.com",
        Host: "auth.example.com:80",
      },
    ],
    ["without any header", {}],
  ])("is refused from a page %s", async (_, headers) => {
    const problem = await problemOf(await writeWith(headers));
    expect(problem).toMatchObject({ status: 403, code: "cross_origin" });
  });

  test.each([
    ["PUBLIC_URL", { Origin: "https://sign-in.example.com" }],
    ["CORS_ORIGINS", { Origin: app, "Sec-Fetch-Site": "same-site" }],
  ])("is taken from the origins in %s", async (_, headers) => {
    expect((await writeWith(headers, { boundary })).status).toBe(204);
  });

  test("with the token as Bearer is taken from any origin", async () => {
    await using world = await openEmbeddedWorld();
    const { token } = await world.signIn("test@example.com");
    for (const headers of [{}, { Origin: "https://evil.example" }]) {
      const change = { method: "PATCH", token, headers, body: { username: "tess" } };
      expect((await world.request("/users/me", change)).status).toBe(200);
    }
  });
});

test("a page of another site cannot sign its visitor in to an account of its choice", async () => {
  await using world = await openEmbeddedWorld();
  await world.post("/auth/request-code", { email: "test@example.com" });
  const body = { email: "test@example.com", code: world.publisher.code };
  const crossing = { Origin: "https://evil.example", ...host };
  const response = await world.post("/auth/verify-code", body, crossing);
  expect(await problemOf(response)).toMatchObject({ code: "cross_origin" });
  expect(response.headers.get("Set-Cookie")).toBeNull();
  expect((await world.post("/auth/verify-code", body)).status).toBe(200);
});

test("reading with the cookie needs no origin", async () => {
  await using world = await openEmbeddedWorld();
  const { token } = await world.signIn("test@example.com");
  const headers = { Cookie: `session_id=${token}` };
  expect((await world.request("/users/me", { headers })).status).toBe(200);
});

test("a service that was told to stop still answers, but tells the load balancer to go elsewhere", async () => {
  await using world = await openEmbeddedWorld();
  const ask = (path: string) => world.app.request(path, {}, { stopping: AbortSignal.abort() });
  const ready = await ask("/readyz");
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { status: "not_ready", reasons: ["the service is stopping"] },
  ]);
  for (const path of ["/", "/livez", "/auth/session", "/nowhere"]) {
    expect((await ask(path)).headers.get("Connection")).toBe("close");
  }
});

describe("other origins", () => {
  const preflight = (origin: string) => ({
    method: "OPTIONS",
    headers: {
      Origin: origin,
      "Access-Control-Request-Method": "PATCH",
      "Access-Control-Request-Headers": "content-type,authorization",
    },
  });

  test("get no CORS headers unless CORS_ORIGINS names them", async () => {
    for (const settings of [{}, { boundary }]) {
      await using world = await openEmbeddedWorld(settings);
      for (const asked of [preflight("https://evil.example"), { headers: { Origin: "null" } }]) {
        const response = await world.request("/users/me", asked);
        expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
      }
    }
  });

  test("that it names may send the trace they are part of", async () => {
    await using world = await openEmbeddedWorld({ boundary });
    const asked = await world.request("/users/me", preflight(app));
    const allowed = asked.headers.get("Access-Control-Allow-Headers")?.toLowerCase().split(",");
    const known = ["content-type", "authorization", "x-request-id", "traceparent", "tracestate"];
    expect(allowed).toEqual(known);
  });

  test("that it names may read and write with the visitor's cookie", async () => {
    await using world = await openEmbeddedWorld({ boundary });
    const asked = await world.request("/users/me", preflight(app));
    expect(asked.status).toBe(204);
    expect(asked.headers.get("Access-Control-Allow-Origin")).toBe(app);
    expect(asked.headers.get("Access-Control-Allow-Credentials")).toBe("true");
    expect(asked.headers.get("Access-Control-Allow-Methods")).toContain("PATCH");
    const { token } = await world.signIn("test@example.com");
    const headers = { Cookie: `session_id=${token}`, Origin: app };
    const read = await world.request("/users/me", { headers });
    expect(read.headers.get("Access-Control-Allow-Origin")).toBe(app);
    expect(read.headers.get("Vary")).toContain("Origin");
    expect(read.status).toBe(200);
    const refused = await world.request("/users/me", { headers: { Origin: app } });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("Access-Control-Allow-Origin")).toBe(app); // the page may see why
  });
});
