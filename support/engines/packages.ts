import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Something that is not on this machine, and what the person can do about it. */
export class MissingError extends Error {}

let turn: Promise<unknown> = Promise.resolve();

/**
 * The path of a program, installed from its Debian package when that can be done: as root, where
 * there is apt-get. Throws MissingError that says what to do otherwise.
 */
export async function needProgram(
  program: string,
  options: { readonly debian: string; readonly print: (line: string) => void },
): Promise<string> {
  const found = Bun.which(program);
  if (found !== null) return found;
  await installDebian(options.debian, program, options.print);
  const installed = Bun.which(program);
  if (installed !== null) return installed;
  throw new MissingError(`${options.debian} was installed, but ${program} is not on PATH`);
}

/** Installs one Debian package; calls wait for each other, since apt-get holds a lock. */
export async function installDebian(
  debian: string,
  what: string,
  print: (line: string) => void,
): Promise<void> {
  if (Bun.which("apt-get") === null) {
    throw new MissingError(`${what} is not installed, and there is no apt-get to install it with`);
  }
  if (process.getuid?.() !== 0) {
    throw new MissingError(
      `${what} is not installed, and that needs root: sudo apt-get install ${debian}`,
    );
  }
  turn = turn.catch(() => {}).then(() => aptInstall(debian, print));
  await turn;
}

let updated = false;

async function aptInstall(debian: string, print: (line: string) => void): Promise<void> {
  print(`installing the Debian package ${debian}`);
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

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The Chromium of TEST_CHROMIUM, or one that is installed. */
export function findBrowser(): string | undefined {
  const found = names.map((name) => Bun.which(name)).find((path) => path !== null);
  return process.env["TEST_CHROMIUM"] || (found ?? undefined);
}

/**
 * The path of `postconf`, with all that a Postfix with logins needs beside it: Cyrus' mechanisms
 * and the program that makes passwords. Postfix drops its rights by itself, so it needs root first.
 */
export async function needPostfix(print: (line: string) => void): Promise<string> {
  if (process.getuid?.() !== 0) throw new MissingError("a Postfix of the tests' own needs root");
  const postconf = await needProgram("postconf", { debian: "postfix", print });
  await needProgram("saslpasswd2", { debian: "sasl2-bin", print });
  const plugins = new Bun.Glob("/usr/lib/*/sasl2/libplain.so");
  if (plugins.scanSync({ onlyFiles: false }).next().done) {
    await installDebian("libsasl2-modules", "Cyrus SASL's PLAIN and LOGIN", print);
  }
  return postconf;
}

/** What the examples of docs/producing.md need beside kcat and Kafka's jars, at fixed versions. */
const pythonPackages = ["confluent-kafka==2.16.1", "kafka-python==3.0.12"] as const;
const franzGo = "github.com/twmb/franz-go@v1.22.3";
const goMinorMin = 24; // crypto/rand.Text

type Print = (line: string) => void;

/** A Python with both Kafka clients. */
export function needPythonClients(repository: string, print: Print): Promise<string> {
  return needPython(join(repository, ".cache", "producers"), pythonPackages, print);
}

/** Asks an API what its OpenAPI document promises. */
const schemathesis = ["schemathesis==4.32.5"] as const;

export async function needSchemathesis(repository: string, print: Print): Promise<string> {
  const python = await needPython(join(repository, ".cache", "schemathesis"), schemathesis, print);
  return join(dirname(python), "schemathesis");
}

/** A Python with these packages, in a virtual environment of its own. */
async function needPython(
  parent: string,
  packages: readonly string[],
  print: Print,
): Promise<string> {
  const directory = join(parent, `python-${versionsOf(packages)}`);
  const python = join(directory, "bin", "python");
  if (existsSync(join(directory, "complete"))) return python;
  const system = await needProgram("python3", { debian: "python3-venv", print });
  print(`fetching ${packages.join(" and ")} with pip, once`);
  rmSync(directory, { recursive: true, force: true });
  await run([system, "-m", "venv", directory]);
  await run([python, "-m", "pip", "install", "--quiet", ...packages]);
  writeFileSync(join(directory, "complete"), "");
  return python;
}

/** The folder of a Go module that requires franz-go, which was compiled once. */
export async function needGoModule(repository: string, print: Print): Promise<string> {
  const parent = join(repository, ".cache", "producers");
  const directory = join(parent, `go-${versionsOf([franzGo])}`);
  const go = await needProgram("go", { debian: "golang-go", print });
  const version = await run([go, "version"]);
  const minor = Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0);
  if (minor < goMinorMin) throw new MissingError(`Go 1.${goMinorMin} is needed, not ${version}`);
  if (existsSync(directory)) return directory;
  print(`fetching ${franzGo}, once`);
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, "go-fetch-"));
  try {
    const client = franzGo.replace("@", "/pkg/kgo@");
    await run([go, "mod", "init", "producing"], { directory: work });
    await run([go, "get", client], { directory: work });
    await run([go, "build", "github.com/twmb/franz-go/pkg/kgo"], { directory: work });
    renameSync(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

function versionsOf(packages: readonly string[]): string {
  return packages.map((name) => name.replace(/^.*(?:==|@)/, "")).join("-");
}
