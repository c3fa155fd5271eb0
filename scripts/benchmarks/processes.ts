/** Processes that are measured, ours and the yardsticks, and what they use. Linux only. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { choosePort } from "../../support/engines/server.ts";
import { eventually } from "../../support/eventually.ts";
import type { Measured } from "./benchmark.ts";
import type { Stage } from "./stage.ts";
import type { Yardsticks } from "./yardsticks/measured.ts";

interface ChildOptions {
  readonly directory: string;
  /** All of it, apart from PATH. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * One process. Its output goes to files, as under a service manager: a pipe would need a reader.
 * Runs until it exits by itself or the scope ends, which sends SIGTERM.
 */
export class Child implements AsyncDisposable {
  readonly #child: Bun.Subprocess;
  readonly #outputPath: string;
  readonly #errorPath: string;

  constructor(command: readonly string[], { directory, environment = {} }: ChildOptions) {
    const name = crypto.randomUUID().slice(0, 8);
    this.#outputPath = join(directory, `${name}.out`);
    this.#errorPath = join(directory, `${name}.err`);
    this.#child = Bun.spawn([...command], {
      cwd: directory,
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdin: "ignore",
      stdout: Bun.file(this.#outputPath),
      stderr: Bun.file(this.#errorPath),
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Standard output after exit code 0; otherwise throws, with the end of its output. */
  async finish(): Promise<string> {
    if ((await this.#child.exited) !== 0) throw this.failure();
    return readFileSync(this.#outputPath, "utf8");
  }

  /** Total CPU time of a process that has exited; NaN while it runs. */
  get cpuMicros(): number {
    return Number(this.#child.resourceUsage()?.cpuTime.total ?? Number.NaN);
  }

  failure(what = "it exited too soon"): Error {
    const end = [this.#outputPath, this.#errorPath].map((path) => {
      return readFileSync(path, "utf8").slice(-2000);
    });
    return new Error(`${what}; the end of its output:\n${end.join("\n")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#child.exited;
    clearTimeout(timer);
  }
}

interface ServeOptions {
  readonly command: readonly string[];
  /** Where it reads its port from. */
  readonly portVariable: string;
  /** Answers 200 once the server is up. */
  readonly path: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** An HTTP server as a process of its own. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly process: Child;
}

/** Resolves when it answers. */
export async function serve(stage: Stage, options: ServeOptions): Promise<Served> {
  const { command, portVariable, path, environment } = options;
  const port = await choosePort(0);
  const url = `http://127.0.0.1:${port}`;
  await using stack = new AsyncDisposableStack();
  const child = stack.use(
    new Child(command, {
      directory: stage.makeDirectory(),
      environment: { [portVariable]: String(port), ...environment },
    }),
  );
  await eventually(`${url}${path} answers`, async () => {
    if (child.hasExited) throw child.failure();
    const answer = await fetch(`${url}${path}`).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.ok;
  });
  const kept = stack.move();
  return { url, process: child, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/**
 * How to run a script of this folder as a process of its own. Bun takes the JSX settings from the
 * tsconfig.json of the directory it runs in, hence --cwd.
 */
export function scriptCommand(stage: Stage, script: string, ...parameters: string[]): string[] {
  const path = join(stage.repository, "scripts/benchmarks", script);
  return [process.execPath, "--no-env-file", `--cwd=${stage.repository}`, path, ...parameters];
}

/** Runs a script that prints a `Measured` as its last line. */
export async function runScript(
  stage: Stage,
  script: string,
  ...parameters: string[]
): Promise<Measured> {
  const command = scriptCommand(stage, script, ...parameters);
  await using child = new Child(command, { directory: stage.makeDirectory() });
  const lines = (await child.finish()).trim().split("\n");
  return JSON.parse(lines.at(-1) ?? "") as Measured;
}

/** A process of its own, so that it shares the cores with the servers just as the program does. */
export function runYardstick<Name extends keyof Yardsticks>(
  stage: Stage,
  name: Name,
  parameters: Parameters<Yardsticks[Name]>[0],
): Promise<Measured> {
  return runScript(stage, "yardsticks/measured.ts", name, JSON.stringify(parameters));
}

/** Linux publishes CPU time in hundredths of a second. */
const microsPerTick = 10_000;

/** CPU time of a running process so far: all threads, user and system. */
export function readCpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold blanks; the fields after it start at the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
}

/** The same of the threads it has now, from the scheduler: exact, for what uses next to nothing. */
export function readCpuNanos(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [onCpu] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    return sum + Number(onCpu);
  }, 0);
}

/** Memory of a process that is in RAM now, shared pages included. */
export function readResidentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
