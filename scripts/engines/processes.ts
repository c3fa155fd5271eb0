import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

/** A process, told apart from a later one with the same number by when it began. */
export interface ProcessMark {
  readonly pid: number;
  readonly begun: string;
}

export interface StartOptions {
  /** Its output is appended here. */
  readonly log: string;
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Starts a process in a session of its own, so that it outlives the shell that asked for it. */
export function startDetached(command: readonly string[], options: StartOptions): ProcessMark {
  const [program = "", ...parameters] = command;
  const output = openSync(options.log, "a", 0o600);
  const child = spawn(program, parameters, {
    cwd: options.directory,
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, ...options.environment },
    ...options.user,
  });
  child.on("error", () => {}); // no pid then, which is what is reported
  closeSync(output);
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  return { pid: child.pid, begun: readBegun(child.pid) ?? "" };
}

export function isRunning(mark: ProcessMark): boolean {
  const begun = readBegun(mark.pid);
  return begun !== undefined && begun === mark.begun;
}

/**
 * Asks a process to end and waits; after `graceMs` it is killed. Resolves true when it ended by
 * itself. A process that is gone already, or whose number another one has now, is left alone.
 */
export async function endProcess(
  mark: ProcessMark,
  options: { readonly signal: NodeJS.Signals; readonly graceMs: number },
): Promise<boolean> {
  if (!isRunning(mark)) return true;
  process.kill(mark.pid, options.signal);
  const givenUpAt = Date.now() + options.graceMs;
  while (isRunning(mark)) {
    if (Date.now() > givenUpAt) {
      process.kill(mark.pid, "SIGKILL");
      return false;
    }
    await Bun.sleep(50);
  }
  return true;
}

/** When a process began, as its system tells it; undefined when there is none (or a zombie). */
function readBegun(pid: number): string | undefined {
  if (process.platform !== "linux") return askPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold blanks: the numbered fields begin after it, at the third.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function askPs(pid: number): string | undefined {
  const asked = Bun.spawnSync(["ps", "-o", "lstart=", "-p", String(pid)]);
  return asked.stdout.toString().trim() || undefined;
}
