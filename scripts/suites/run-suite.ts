import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Outcome, Suite } from "./suite.ts";

/** For tests that hang. bunfig.toml has no such setting; a preload sets it for one file only. */
const testMsMax = 30_000;
const killAfterMs = 5_000;
const leftoverGraceMs = 2_000;
const outputCharsMax = 1024 * 1024;
const errorCharsMax = 300;

/**
 * Runs one suite. It fails as a whole when it exceeds its budget (it is ended then), when it dies,
 * and when a process that it started outlives it (that is ended too).
 */
export async function runSuite(
  suite: Suite,
  options: {
    readonly repository: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
    /** Discards its output; for tests. */
    readonly quiet?: boolean;
  },
): Promise<Outcome> {
  const startedAt = Date.now();
  const mark = `${suite.name}-${process.pid}`;
  const parallel = suite.processes === undefined ? [] : [`--parallel=${suite.processes}`];
  const flags = ["--no-env-file", "test", `--timeout=${testMsMax}`, ...parallel];
  const child = spawn(process.execPath, [...flags, `./${suite.folder}`], {
    cwd: options.repository,
    env: { ...process.env, ...options.environment, [markName]: mark },
    // A group of its own, so that all of it can be ended and Ctrl-C reaches only this process.
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

/** Waits for the exit, passing on the suite's stderr and keeping the end of it. */
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
  // "exit", not "close": a leftover process may hold its stderr open forever.
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
    // It exited between the check and the signal.
  }
}

async function endLeftovers(mark: string): Promise<string[]> {
  const endsAt = Date.now() + leftoverGraceMs;
  let left = findLeftovers(mark);
  while (left.length > 0 && Date.now() < endsAt) {
    await Bun.sleep(100);
    left = findLeftovers(mark);
  }
  return left.map(({ pid, command }) => {
    process.kill(pid, "SIGKILL");
    return `left a process running: ${command.slice(0, 120)}`;
  });
}

/** Set in the environment of a suite, so that the processes it starts can be found. */
export const markName = "INSTANT_TEST_SUITE";

interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/** The processes with a suite's mark, wherever they moved to. Linux only. */
export function findLeftovers(mark: string): Leftover[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readZeroSeparated(pid, "environ").includes(`${markName}=${mark}`))
    .map((pid) => ({ pid: Number(pid), command: readZeroSeparated(pid, "cmdline").join(" ") }))
    .filter(({ command }) => command !== ""); // a zombie has none
}

function readZeroSeparated(pid: string, file: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0").filter(Boolean);
  } catch {
    return []; // exited meanwhile, or another user's
  }
}

/**
 * Reads the counts that `bun test` prints at its end (on stderr, one to a line). Undefined when
 * there are none: the process died before its end. A file that fails to load counts as failed.
 */
export function parseSummary(
  stderr: string,
): Pick<Outcome, "passed" | "failed" | "skipped"> | undefined {
  const plain = withoutColours(stderr);
  // The last block only: a test may itself have run tests and printed theirs.
  const begin = plain.search(/^ *\d+ pass$(?![\s\S]*^ *\d+ pass$)/m);
  if (begin === -1) return undefined;
  const counts = new Map<string, number>();
  for (const match of plain.slice(begin).matchAll(/^ *(\d+) (pass|fail|skip|todo|error)s?$/gm)) {
    counts.set(match[2] ?? "", Number(match[1]));
  }
  return {
    passed: counts.get("pass") ?? 0,
    failed: Math.max(counts.get("fail") ?? 0, counts.get("error") ?? 0),
    skipped: (counts.get("skip") ?? 0) + (counts.get("todo") ?? 0),
  };
}

/**
 * A line for each failed test: its name and the beginning of its error. `bun test` prints the error
 * first, then "(fail) name [ms]", and the names once more at its end.
 */
function describeFailures(stderr: string): string[] {
  const failures = new Map<string, string>();
  let error = "";
  for (const line of withoutColours(stderr).split("\n")) {
    const [, verdict, name = ""] = /^\((pass|fail)\) (.+?)(?: \[[\d.]+ms\])?$/.exec(line) ?? [];
    if (verdict === "fail" && !failures.has(name)) failures.set(name, error);
    if (verdict !== undefined) error = "";
    else if (line.startsWith("error: ")) error = line;
    else if (error !== "" && line !== "") error = `${error} ${line.trim()}`.slice(0, errorCharsMax);
  }
  return [...failures].map(([name, text]) => (text === "" ? name : `${name}: ${text}`));
}

function withoutColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours start with one
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}
