import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { findEngine } from "./engines.ts";
import { eventually } from "./eventually.ts";
import { expectNoSecretsIn } from "./log-secrets.ts";

interface InstantOptions {
  /** The built program (TEST_INSTANT), or a script that ends as one. */
  readonly program: string;
  readonly directory: string;
  /** All of it: nothing of the test's own environment comes along but PATH. */
  readonly environment?: Readonly<Record<string, string>>;
}

const stopMsMax = 5_000;

/**
 * The built program as a process; stopped, at last killed, when the scope ends. Whatever it was
 * started for: a code, token or whole address in what it wrote fails the test then.
 */
export class InstantProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #output = "";

  constructor(parameters: readonly string[], options: InstantOptions) {
    this.#child = spawn(options.program, parameters, {
      cwd: options.directory,
      env: { PATH: process.env["PATH"] ?? "", ...options.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (bytes: Buffer) => {
      this.#output += bytes.toString();
    };
    this.#child.stdout?.on("data", keep);
    this.#child.stderr?.on("data", keep);
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", resolve);
      this.#child.once("error", () => resolve(null));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** stdout and stderr so far, as they came. */
  get output(): string {
    return this.#output;
  }

  /** The log lines with this message, in order. */
  findLogs(message: string): Record<string, unknown>[] {
    const words = JSON.stringify(message); // a service that sends thousands of mails says much
    return this.#output
      .split("\n")
      .slice(0, -1) // what follows the last line end is not a whole line yet
      .filter((line) => line.startsWith("{") && line.includes(words))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line["msg"] === message);
  }

  /** Waits until `url` answers 2xx; fails at once, with the output, when the process ends before. */
  async ready(url: string, withinMs = 15_000): Promise<void> {
    const ask = async () => {
      if (this.#child.exitCode !== null) throw new Error(`it ended:\n${this.#output}`);
      const answer = await fetch(url).catch(() => undefined);
      await answer?.arrayBuffer();
      return answer?.ok;
    };
    await eventually(`${url} answers`, ask, withinMs);
  }

  /** The exit code; null when a signal ended it. */
  end(): Promise<number | null> {
    return this.#ended;
  }

  /** Asks it to end, as Docker and a service manager do, and waits. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      // Asked first: scripts/start --real has processes of its own to end.
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopMsMax);
      await this.stop();
      clearTimeout(timer);
    }
    expectNoSecretsIn(this.#output);
  }
}

interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program to its end with exactly this environment. */
export async function runInstant(
  parameters: readonly string[],
  options: { readonly directory: string; readonly environment?: Readonly<Record<string, string>> },
): Promise<Finished> {
  const program = findEngine("instant");
  if (program === undefined) throw new Error("the program is not built");
  const child = Bun.spawn([program, ...parameters], {
    cwd: options.directory,
    env: { ...options.environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}
