/** How long the program takes to start. */
import { join } from "node:path";
import { choosePort } from "../../../support/engines/server.ts";
import { openAuthGround } from "../auth-service.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { alternate, median } from "../benchmark.ts";
import { Child } from "../processes.ts";
import type { Stage } from "../stage.ts";

/** One start is short and easily disturbed: each side of a pair is the median of several. */
const sizes = { full: { starts: 11, pairs: 5 }, quick: { starts: 3, pairs: 3 } } as const;
const startMsMax = 30_000;

export const help: Benchmark = {
  name: "help",
  job: "`instant --help`, from start to exit",
  yardstick: "a compiled Bun server that prints one line of help",
  unit: "ms",
  target: { atMost: 1.5 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, starts } = sizes[scale];
    const hello = await compileHello(stage);
    const timeHelp = (program: string) => timeToEnd(stage, [program, "--help"]);
    return await alternate(pairs, {
      ours: () => medianOf(starts, () => timeHelp(stage.program)),
      yardstick: () => medianOf(starts, () => timeHelp(hello)),
    });
  },
};

export const firstRequest: Benchmark = {
  name: "first-request",
  job: "serve-auth on Kafka, Redis and Postgres, from start to the first response",
  yardstick: "a compiled Bun server that returns a constant",
  unit: "ms",
  target: { atMost: 3 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, starts } = sizes[scale];
    const hello = await compileHello(stage);
    await using ground = await openAuthGround(stage);
    const auth = [stage.program, "serve-auth"];
    return await alternate(pairs, {
      ours: () =>
        medianOf(starts, () => timeToAnswer(stage, auth, "AUTH_SERVICE_PORT", ground.environment)),
      yardstick: () => medianOf(starts, () => timeToAnswer(stage, [hello], "PORT", {})),
    });
  },
};

/** With the flags of scripts/binary/build.ts. */
async function compileHello(stage: Stage): Promise<string> {
  const file = join(stage.makeDirectory(), "hello");
  const flags = ["--compile", "--format=esm", "--bytecode", "--splitting", "--minify"];
  const still = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const source = join(stage.repository, "scripts/benchmarks/yardsticks/hello.ts");
  const command = [process.execPath, "build", ...flags, ...still, source, "--outfile", file];
  await using child = new Child(command, { directory: stage.makeDirectory() });
  await child.finish();
  return file;
}

async function medianOf(times: number, measure: () => Promise<number>): Promise<Measured> {
  const values: number[] = [];
  for (let time = 0; time < times; time += 1) values.push(await measure());
  return { value: median(values) };
}

async function timeToEnd(stage: Stage, command: readonly string[]): Promise<number> {
  const directory = stage.makeDirectory();
  const startedAt = performance.now();
  await using child = new Child(command, { directory });
  await child.finish();
  return performance.now() - startedAt;
}

/** Sends a request every millisecond until any response comes, whatever its status. */
async function timeToAnswer(
  stage: Stage,
  command: readonly string[],
  portVariable: string,
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const directory = stage.makeDirectory();
  const port = await choosePort(0);
  const startedAt = performance.now();
  await using child = new Child(command, {
    directory,
    environment: { [portVariable]: String(port), ...environment },
  });
  while (performance.now() < startedAt + startMsMax) {
    if (child.hasExited) throw child.failure();
    const answer = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => undefined);
    if (answer !== undefined) return performance.now() - startedAt;
    await Bun.sleep(1);
  }
  throw new Error(`${command.join(" ")} did not answer within ${startMsMax} ms`);
}
