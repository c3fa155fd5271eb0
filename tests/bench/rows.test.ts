/**
 * The quick rows of docs/benchmarks.json, measured again by the same code, and compared with the
 * commit by their ratio alone; and what both services use while they have nothing to do.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { openAuthGround, startAuth } from "../../scripts/benchmarks/auth-service.ts";
import type { ResultHead } from "../../scripts/benchmarks/benchmark.ts";
import { isFarWorse, summarize } from "../../scripts/benchmarks/benchmark.ts";
import { EmailService } from "../../scripts/benchmarks/drain.ts";
import { readCpuMicros } from "../../scripts/benchmarks/processes.ts";
import { readRecorded } from "../../scripts/benchmarks/report.ts";
import { benchmarks } from "../../scripts/benchmarks/rows.ts";
import { openStage } from "../../scripts/benchmarks/stage.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";

const engines = ["kafka", "redis", "postgres", "postfix", "instant"] as const;
const complete = engines.map(findEngine).every((engine) => engine !== undefined);
const quick = benchmarks.filter(({ inQuick }) => inQuick);
const recorded = readRecorded(resolve(import.meta.dir, "../.."));
/** One run of a quick row may be disturbed by other work on the machine; a real loss shows in each. */
const runsMax = 3;

describe.skipIf(!complete)("on real engines,", () => {
  const stage = openStage(() => {});
  afterAll(() => stage[Symbol.asyncDispose]());

  test.each(quick.map((benchmark) => [benchmark.job, benchmark] as const))(
    "%s keeps at least half of the committed ratio",
    async (_, benchmark) => {
      const { name } = benchmark;
      const isThis = (line: ResultHead) => line.name === name && line.against === "yardstick";
      const committed = recorded.quick.find(isThis);
      if (committed === undefined) throw new Error("scripts/bench --quick --write records it");
      const { target, measured } = committed;
      const ratios: number[] = [];
      const isFar = (ratio: number) => {
        return target !== undefined && isFarWorse(target, ratio, measured.ratio);
      };
      while (ratios.every(isFar) && ratios.length < runsMax) {
        const results = summarize(benchmark, await benchmark.measure(stage, "quick"));
        ratios.push(results.find(isThis)?.measured.ratio ?? Number.NaN);
      }
      const worse = ratios.every(isFar);
      expect({ ratios, committed: measured.ratio, worse }).toMatchObject({ worse: false });
    },
  );

  test("serve-auth and serve-email use next to no CPU while they have nothing to do", async () => {
    await using ground = await openAuthGround(stage);
    await using email = await EmailService.start(stage, ground.environment);
    await using auth = await startAuth(stage, ground);
    // One mail first, so that whatever connects lazily is connected.
    const answer = await fetch(`${auth.url}/auth/request-code`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: '{"email":"idle@example.com"}',
    });
    expect(answer.status).toBe(200);
    await eventually("the mail is accepted", async () => (await email.accepted()) >= 1);
    await Bun.sleep(1000); // the compiler's work after a start
    const usedMicros = () => readCpuMicros(auth.process.pid) + readCpuMicros(email.process.pid);
    const [before, startedAt] = [usedMicros(), performance.now()];
    await Bun.sleep(2500);
    const cores = (usedMicros() - before) / ((performance.now() - startedAt) * 1000);
    expect(cores).toBeLessThan(0.1); // usually 0.01
  });
});
