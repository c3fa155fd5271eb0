import { accessSync, constants } from "node:fs";

/** Something that is not on this machine, and what the person can do about it. */
export class MissingError extends Error {}

let turn: Promise<unknown> = Promise.resolve();

/**
 * The path of a program, installed from its Debian package when that can be done: as root, where
 * there is apt-get. Throws MissingError that says what to do otherwise.
 */
export async function needProgram(
  program: string,
  options: { readonly debian: string; readonly say: (line: string) => void },
): Promise<string> {
  const found = Bun.which(program);
  if (found !== null) return found;
  await installDebian(options.debian, program, options.say);
  const installed = Bun.which(program);
  if (installed !== null) return installed;
  throw new MissingError(`${options.debian} was installed, but ${program} is not on PATH`);
}

/** Installs one Debian package; calls wait for each other, since apt-get holds a lock. */
export async function installDebian(
  debian: string,
  what: string,
  say: (line: string) => void,
): Promise<void> {
  if (Bun.which("apt-get") === null) {
    throw new MissingError(`${what} is not installed, and there is no apt-get to install it with`);
  }
  if (process.getuid?.() !== 0) {
    throw new MissingError(
      `${what} is not installed, and that needs root: sudo apt-get install ${debian}`,
    );
  }
  turn = turn.catch(() => {}).then(() => aptInstall(debian, say));
  await turn;
}

let updated = false;

async function aptInstall(debian: string, say: (line: string) => void): Promise<void> {
  say(`installing the Debian package ${debian}`);
  if (!updated) await run(["apt-get", "update", "-qq"]);
  updated = true;
  await run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", debian]);
}

/** Runs a program to its end; throws with the end of what it said when it fails. */
export async function run(
  command: readonly string[],
  options: { readonly directory?: string; readonly deadlineMs?: number } = {},
): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd: options.directory ?? process.cwd(),
    // RUNLEVEL=1 keeps a package from starting a service of its own on the usual port.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.deadlineMs ?? 5 * 60_000,
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code === 0) return stdout;
  const end = `${stdout}${stderr}`.trim().split("\n").slice(-15).join("\n");
  throw new Error(`${command.slice(0, 3).join(" ")} failed (exit ${code}):\n${end}`);
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
