import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { findLeftovers, markName } from "./leftovers.ts";
import type { Outcome, Suite } from "./suite.ts";
import { describeFailures, parseSummary } from "./summary.ts";

/** One test; for those that hang. bunfig.toml has no such setting, and a preload sets one file's. */
const testMsMax = 30_000;
const killAfterMs = 5_000;
const leftoverGraceMs = 2_000;
const outputCharsMax = 1024 * 1024;

/**
 * Runs one suite. It fails as a whole when it needs more than its budget (it is ended then), when
 * it dies, and when something that it started is still running after it (that is ended too).
 */
export async function runSuite(
  suite: Suite,
  options: {
    readonly repository: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
    /** Shows nothing of what it says; for tests. */
    readonly quiet?: boolean;
  },
): Promise<Outcome> {
  const startedAt = Date.now();
  const mark = `${suite.name}-${process.pid}`;
  const beside = suite.processes === undefined ? [] : [`--parallel=${suite.processes}`];
  const flags = ["--no-env-file", "test", `--timeout=${testMsMax}`, ...beside];
  const child = spawn(process.execPath, [...flags, `./${suite.folder}`], {
    cwd: options.repository,
    env: { ...process.env, ...options.environment, [markName]: mark },
    // A group of its own, so that all of it can be ended, and a Ctrl-C reaches us alone.
    detached: true,
    stdio: ["ignore", options.quiet ? "ignore" : "inherit", "pipe"],
  });
  const { code, stderr, inTime } = await finish(child, suite.budgetSeconds * 1000, options);
  const summary = parseSummary(stderr);
  const counts = summary ?? { passed: 0, failed: 0, skipped: 0 };
  const died = summary === undefined || (code !== 0 && counts.failed === 0);
  const notes = [
    ...(inTime ? [] : [`took longer than ${suite.budgetSeconds} s and was ended`]),
    ...(inTime && died ? [`ended with exit code ${code}`] : []),
    ...(await endLeftovers(mark)),
  ];
  return {
    name: suite.name,
    ...counts,
    failed: counts.failed + notes.length,
    seconds: (Date.now() - startedAt) / 1000,
    budgetSeconds: suite.budgetSeconds,
    notes: [...describeFailures(stderr), ...notes],
  };
}

/** Waits for the end, passing on what the suite says on stderr and keeping the last of it. */
async function finish(
  child: ChildProcess,
  budgetMs: number,
  { signal, quiet }: { readonly signal: AbortSignal; readonly quiet?: boolean },
) {
  let stderr = "";
  let inTime = true;
  child.stderr?.on("data", (bytes: Buffer) => {
    if (!quiet) process.stderr.write(bytes);
    stderr = (stderr + bytes.toString()).slice(-outputCharsMax);
  });
  const stop = () => {
    endGroup(child, "SIGTERM");
    setTimeout(() => endGroup(child, "SIGKILL"), killAfterMs).unref();
  };
  const timer = setTimeout(() => {
    inTime = false;
    stop();
  }, budgetMs);
  signal.addEventListener("abort", stop, { once: true });
  // "exit", not "close": what the suite left running may hold its stderr open for ever.
  const code = await new Promise<number | null>((resolve) => {
    child.once("exit", resolve);
    child.once("error", () => resolve(null));
  });
  await Bun.sleep(50); // the last of its stderr
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
  child.stderr?.destroy();
  return { code, stderr, inTime };
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended between the question and the signal.
  }
}

async function endLeftovers(mark: string): Promise<string[]> {
  const givenUpAt = Date.now() + leftoverGraceMs;
  let left = findLeftovers(mark);
  while (left.length > 0 && Date.now() < givenUpAt) {
    await Bun.sleep(100);
    left = findLeftovers(mark);
  }
  return left.map(({ pid, command }) => {
    process.kill(pid, "SIGKILL");
    return `left a process running: ${command.slice(0, 120)}`;
  });
}
