import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";

const readyWithinMs = 30_000;

export interface Part {
  readonly name: string;
  readonly command: readonly string[];
  /** Answers 200 once the part is ready. */
  readonly readyUrl: string;
}

export interface TogetherOptions {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly parts: readonly Part[];
  readonly onReady: () => void;
}

/**
 * Runs processes that live and end together: one that ends takes the others with it, SIGINT and
 * SIGTERM end all. Each has a process group of its own, so a Ctrl-C on a terminal reaches it once,
 * from here, as the SIGTERM that lets it drain; a second one ends it at once. Resolves with the
 * exit code: 0 when all ended as asked.
 */
export async function runTogether(options: TogetherOptions): Promise<number> {
  const children = options.parts.map(({ command: [program = "", ...parameters] }) =>
    spawn(program, parameters, {
      cwd: options.directory,
      env: options.environment,
      detached: true,
      stdio: ["ignore", "inherit", "inherit"],
    }),
  );
  let asked = false;
  const endAll = () => {
    asked = true;
    for (const child of children) child.kill("SIGTERM");
  };
  process.on("SIGINT", endAll);
  process.on("SIGTERM", endAll);
  const ended = children.map((child, index) => waitForEnd(child, options.parts[index]?.name ?? ""));
  const ready = waitUntilReady(options.parts, () => asked);
  void Promise.race(ended).then(() => asked || endAll());
  void ready.then((all) => {
    if (all) options.onReady();
    else if (!asked) {
      console.error(`not ready within ${readyWithinMs / 1000} s; ending`);
      endAll();
    }
  });
  const codes = await Promise.all(ended);
  return codes.every((code) => code === 0) ? 0 : 1;
}

function waitForEnd(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`${name} could not be started: ${error.message}`);
      resolve(1);
    });
    child.once("exit", (code, signal) => {
      if (code !== 0) console.error(`${name} ended with ${signal ?? `exit code ${code}`}`);
      resolve(code ?? 1);
    });
  });
}

async function waitUntilReady(parts: readonly Part[], stopped: () => boolean): Promise<boolean> {
  const givenUpAt = Date.now() + readyWithinMs;
  for (const { readyUrl } of parts) {
    while (!(await answersOk(readyUrl))) {
      if (stopped() || Date.now() > givenUpAt) return false;
      await Bun.sleep(100);
    }
  }
  return !stopped();
}

async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
