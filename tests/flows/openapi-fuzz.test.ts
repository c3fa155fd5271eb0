import { expect, test } from "bun:test";
import { authOperations } from "../../src/auth/docs-routes.ts";
import { fuzzByDocument } from "../support/openapi-fuzzer/fuzz.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { signInEngines } from "../support/sign-in-engines.ts";

const requestsCount = Number(process.env["FUZZ_REQUESTS"] ?? 3_000);
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);

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
