import { describe, expect, test } from "bun:test";
import { authOperations } from "../../src/auth/app.ts";
import { limitPolicyUnlimited } from "../../support/settings.ts";
import { fuzzByDocument } from "../support/openapi-fuzzer/fuzz.ts";
import { brokenJson, randomJson, SeededRandom } from "../support/seeded-random.ts";
import { signInEngines } from "../support/sign-in-world.ts";

/** Of each route that takes a body; a tenth of it on the servers, which are slower to ask. */
const bodiesPerRoute = Number(process.env["FUZZ_BODIES"] ?? 10_000);
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);

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
      await using world = await open({ limitPolicy: limitPolicyUnlimited });
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
    const publicOrigin = "https://sign-in.example.com";
    await using world = await open({
      boundary: { trustedProxies: [], corsOrigins: [], publicOrigin },
    });
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
