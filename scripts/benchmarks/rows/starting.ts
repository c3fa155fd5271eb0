/** How long the program takes to start, and what it uses while it has nothing to do. */
import { join } from "node:path";
import { choosePort } from "../../../support/engines/server.ts";
import type { AuthGround } from "../auth-service.ts";
import { openAuthGround, startAuth } from "../auth-service.ts";
import { settingsOf } from "../before.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { againstBefore, alternate, eachProgram, median } from "../benchmark.ts";
import { EmailService } from "../drain.ts";
import { Child, readCpuNanos, serve } from "../processes.ts";
import type { Stage } from "../stage.ts";

/** One start is short and easily disturbed: each side of a pair is the median of several. */
const sizes = { full: { starts: 11, pairs: 5 }, quick: { starts: 3, pairs: 3 } } as const;
const startMsMax = 30_000;

export const help: Benchmark = {
  name: "help",
  job: "`instant --help`, from start to exit",
  unit: "ms",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "a compiled Bun server that prints one line of help",
      target: { atMost: 1.3 },
    },
    againstBefore({ atMost: 1.1 }),
  ],
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, starts } = sizes[scale];
    const hello = await compileHello(stage);
    const timeHelp = (path: string) => {
      return medianOf(starts, () => timeToEnd(stage, [path, "--help"]));
    };
    return await alternate(pairs, {
      ...eachProgram(stage, ({ program }) => timeHelp(program.path)),
      yardstick: () => timeHelp(hello),
    });
  },
};

export const firstRequest: Benchmark = {
  name: "first-request",
  job: "serve-auth on Kafka, Redis and Postgres, from start to the first response",
  unit: "ms",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "a compiled Bun server that returns a constant",
      target: { atMost: 12 },
    },
    againstBefore({ atMost: 1.1 }),
  ],
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, starts } = sizes[scale];
    const hello = await compileHello(stage);
    return await alternate(pairs, {
      ...eachProgram(stage, async ({ program }) => {
        await using ground = await openAuthGround(stage);
        const command = [program.path, "serve-auth"];
        const environment = settingsOf(program, ground.environment);
        const timeAuth = () => timeToAnswer(stage, command, "AUTH_SERVICE_PORT", environment);
        await timeAuth(); // creates the tables
        return await medianOf(starts, timeAuth);
      }),
      yardstick: () => medianOf(starts, () => timeToAnswer(stage, [hello], "PORT", {})),
    });
  },
};

const idleSizes = {
  full: { settleMs: 10_000, ms: 20_000, pairs: 3 },
  quick: { settleMs: 1500, ms: 3000, pairs: 1 },
} as const;

export const idleAuth = idle("serve-auth", startAuth);
export const idleEmail = idle("serve-email", (stage, { environment }) =>
  EmailService.start(stage, environment),
);

/** A service polls, sends heartbeats and collects garbage while it has nothing to do. */
function idle(
  command: "serve-auth" | "serve-email",
  start: (stage: Stage, ground: AuthGround) => Promise<Idling>,
): Benchmark {
  return {
    name: command.replace("serve", "idle"),
    job: `CPU of an idle ${command} on Kafka, Redis and Postgres, of one core`,
    unit: "%",
    comparisons: [
      { against: "yardstick", yardstick: "of an idle compiled Bun server", oursAtMost: 0.5 },
      againstBefore({ atMost: 1.1 }),
    ],
    inQuick: false,
    measure: async (stage, scale) => {
      const size = idleSizes[scale];
      const hello = await compileHello(stage);
      return await alternate(size.pairs, {
        print: stage.print,
        ...eachProgram(stage, async (program) => {
          await using ground = await openAuthGround(stage);
          await using service = await start(program, ground);
          return await watchIdle(service, size);
        }),
        yardstick: async () => {
          const options = { command: [hello], portVariable: "PORT", path: "/" };
          await using server = await serve(stage, options);
          return await watchIdle(server, size);
        },
      });
    },
  };
}

interface Idling extends AsyncDisposable {
  readonly process: { readonly pid: number };
}

async function watchIdle(
  { process: { pid } }: Idling,
  { settleMs, ms }: { readonly settleMs: number; readonly ms: number },
): Promise<Measured> {
  await Bun.sleep(settleMs); // the compiler's work after a start
  const [before, startedAt] = [readCpuNanos(pid), performance.now()];
  await Bun.sleep(ms);
  const nanos = readCpuNanos(pid) - before;
  return { value: (nanos / 1e6 / (performance.now() - startedAt)) * 100 };
}

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
