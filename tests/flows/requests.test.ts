import { describe, expect, test } from "bun:test";
import { authOperations } from "../../src/auth/docs-routes.ts";
import { fuzzByDocument } from "../support/openapi-fuzzer/fuzz.ts";
import { brokenJson, randomJson, SeededRandom } from "../support/seeded-random.ts";
import { openEmbeddedWorld, problemOf, signInEngines } from "../support/sign-in-world.ts";

/** The methods of each path, the path with its examples filled in. */
const methodsByPath = new Map<string, string[]>();
for (const { method, path, pathParameters } of authOperations) {
  const filled = Object.entries(pathParameters ?? {}).reduce(
    (text, [name, { example }]) => text.replace(`{${name}}`, example),
    path,
  );
  const methods = methodsByPath.get(filled) ?? [];
  methods.push(method.toUpperCase(), ...(method === "get" ? ["HEAD"] : []));
  methodsByPath.set(filled, methods);
}

describe.each([...methodsByPath])("%s", (path, methods) => {
  test("takes the documented methods, and names them to who asks with another", async () => {
    await using world = await openEmbeddedWorld();
    const others = ["OPTIONS", "PUT", "DELETE", "GET", "PATCH"].filter(
      (method) => !methods.includes(method),
    );
    for (const method of others) {
      const answer = await world.request(path, { method });
      expect(answer.headers.get("Allow")?.split(", ").toSorted()).toEqual(methods.toSorted());
      expect(await problemOf(answer)).toMatchObject({ status: 405, code: "method_not_allowed" });
    }
  });
});

test("what has not the shape of a session's id is no session, and nothing else", async () => {
  await using world = await openEmbeddedWorld();
  const { token } = await world.signIn("ana@example.com");
  for (const id of ["x", "-", "x".repeat(23)]) {
    const answer = await world.request(`/auth/sessions/${id}`, { method: "DELETE", token });
    expect(await problemOf(answer)).toMatchObject({ status: 404, code: "not_found" });
  }
});

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
    ["that the browser says is ours", { "Sec-Fetch-Site": "same-origin", Origin: "null" }],
  ])("is taken from a page %s", async (_, headers) => {
    expect((await writeWith(headers)).status).toBe(204);
  });

  test.each([
    ["of another site", { Origin: "https://evil.example" }],
    ["of a neighbour", { Origin: "https://evil.example.com", "Sec-Fetch-Site": "same-site" }],
    ["of a neighbour that does not say it", { Origin: "https://evil.example.com" }],
    ["on another port", { Origin: "https://auth.example.com:8443" }],
    ["without an origin", { Origin: "null" }],
    ["that the browser says is elsewhere", { "Sec-Fetch-Site": "cross-site" }],
    ["in a broken way", { Origin: "auth.example.com" }],
    ["that says nothing", {}],
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

  test("with the token as Bearer is taken from wherever", async () => {
    await using world = await openEmbeddedWorld();
    const { token } = await world.signIn("test@example.com");
    for (const headers of [{}, { Origin: "https://evil.example" }]) {
      const change = { method: "PATCH", token, headers, body: { username: "tess" } };
      expect((await world.request("/users/me", change)).status).toBe(200);
    }
  });
});

test("a page elsewhere signs nobody in, to an account of its choice", async () => {
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

describe("other origins", () => {
  const preflight = (origin: string) => ({
    method: "OPTIONS",
    headers: {
      Origin: origin,
      "Access-Control-Request-Method": "PATCH",
      "Access-Control-Request-Headers": "content-type,authorization",
    },
  });

  test("are told nothing unless CORS_ORIGINS names them", async () => {
    for (const settings of [{}, { boundary }]) {
      await using world = await openEmbeddedWorld(settings);
      for (const asked of [preflight("https://evil.example"), { headers: { Origin: "null" } }]) {
        const response = await world.request("/users/me", asked);
        expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
      }
    }
  });

  test("that it names may read and write with the person's cookie", async () => {
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

/** Of each route that takes a body; a tenth of it on the servers, which are slower to ask. */
const bodiesPerRoute = Number(process.env["FUZZ_BODIES"] ?? 10_000);
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);
const many = { quota: 100_000, windowMs: 60_000 };
const limitPolicy = {
  codesPerClient: many,
  codesGlobal: many,
  attemptsPerClient: many,
  attemptsGlobal: many,
};

/** Anything at all, or the example with one field that is anything at all. */
function randomBody(random: SeededRandom, example: unknown): string {
  const kind = random.below(10);
  if (kind < 3) return JSON.stringify(randomJson(random));
  const whole = { ...(example as object) } as Record<string, unknown>;
  const field = random.pick(Object.keys(whole)) ?? "";
  if (kind < 8) whole[field] = randomJson(random, 2);
  else if (kind < 9) delete whole[field];
  const text = JSON.stringify(whole);
  return kind < 9 ? text : brokenJson(random, text);
}

const operations = authOperations.filter(({ body }) => body !== undefined);
const cases = signInEngines().flatMap(([engines, open], index) =>
  operations.map(({ id, method, path, body }) => {
    const bodiesCount = index === 0 ? bodiesPerRoute : Math.ceil(bodiesPerRoute / 10);
    return { engines, open, bodiesCount, id, method, path, body };
  }),
);

describe.each(cases)(
  "$method $path on $engines",
  ({ open, bodiesCount, id, method, path, body }) => {
    test(`answers ${bodiesCount} random bodies with problems, and none with a fault`, async () => {
      await using world = await open({ limitPolicy });
      const random = new SeededRandom(seed);
      const { user } = await world.stores.users.signIn({
        email: "fuzz@x.org",
        username: undefined,
      });
      const session = { userId: user.id, device: "fuzzer" };
      let { token } = await world.stores.sessions.create(session);
      let refused = 0;
      for (let count = 0; count < bodiesCount; count += 1) {
        const text = randomBody(random, body?.example);
        const request = { method: method.toUpperCase(), token, body: text };
        const response = await world.request(path, request);
        if (response.ok) {
          if (id === "logout") ({ token } = await world.stores.sessions.create(session));
          if (count % 10 === 0) await world.clock.advance(3_600_000 / 4);
          continue;
        }
        refused += 1;
        const answer = await response.text();
        const seen = { seed, count, text: text.slice(0, 200), status: response.status, answer };
        const type = response.headers.get("Content-Type");
        if (response.status >= 500 || type !== "application/problem+json" || !isProblem(answer)) {
          throw new Error(`not as it should be: ${JSON.stringify(seen)}`);
        }
      }
      expect(refused).toBeGreaterThan(bodiesCount / 2);
      expect(world.lines.filter((line) => line.includes("Request failed unexpectedly"))).toEqual(
        [],
      );
    });
  },
);

/** A problem without a word about our files. */
function isProblem(text: string): boolean {
  const problem = JSON.parse(text) as { status?: unknown; code?: unknown };
  const told = /\bat .*\.ts|node_modules|ZodError|SQLite/.test(text);
  return typeof problem.status === "number" && typeof problem.code === "string" && !told;
}

const requestsCount = Number(process.env["FUZZ_REQUESTS"] ?? 3_000);

test.each(signInEngines())(
  "nothing that the document does not have is answered, on %s",
  async (_, open) => {
    await using world = await open();
    const { seen, faults } = await fuzzByDocument(world, new SeededRandom(seed), requestsCount);
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    const successes = authOperations.map(({ id, answer }) => `${id} ${answer.status}`);
    expect(successes.filter((name) => !seen.has(name))).toEqual([]);
    for (const status of [400, 401, 403, 404, 405, 409, 413, 422, 429]) {
      const names = [...seen.keys()].filter((name) => name.endsWith(` ${status}`));
      expect({ seed, status, count: names.length }).not.toEqual({ seed, status, count: 0 });
    }
  },
);
