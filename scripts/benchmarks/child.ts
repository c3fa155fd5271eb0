import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface ChildOptions {
  readonly directory: string;
  /** All of it, beside PATH. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * A process that is measured. What it writes goes to files, as a service manager keeps it: a pipe
 * would need somebody who reads along. Running until it ends, or is asked to by the end of the scope.
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

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Its standard output, when it has ended well; throws with what it said when it has not. */
  async finish(): Promise<string> {
    if ((await this.#child.exited) !== 0) throw this.failure();
    return readFileSync(this.#outputPath, "utf8");
  }

  /** CPU time it used in all; undefined while it runs. */
  get cpuMicros(): number | undefined {
    const total = this.#child.resourceUsage()?.cpuTime.total;
    return total === undefined ? undefined : Number(total);
  }

  /** An error with what it said last. */
  failure(what = "it ended too soon"): Error {
    const end = [this.#outputPath, this.#errorPath].map((path) => {
      return readFileSync(path, "utf8").slice(-2000);
    });
    return new Error(`${what}; the process said:\n${end.join("\n")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#child.exited;
    clearTimeout(timer);
  }
}
