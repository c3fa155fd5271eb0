/**
 * The program at the commit that today's is compared with, from before the hot path was made of
 * batches: built from git once, by its own scripts. Settings and schemas had other names then.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const commit = "a73a2b3445609a6ac5957bab9a9271b7f2155c94";
export const shortCommit = commit.slice(0, 7);

/** A built program, and what it calls by another name than today's. */
export interface Program {
  readonly path: string;
  /** Its names of settings, by today's. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes the embedded event log that today's sources write one that it reads. */
  readonly adaptEventLog?: string;
}

/** Of what the rows use; CHANGELOG.md has all the renames. */
const names: Omit<Program, "path"> = {
  settings: { AUTH_CODES_GLOBAL: "AUTH_CODES_IN_ALL" },
  adaptEventLog: "ALTER TABLE schema_versions RENAME COLUMN module TO room",
};

/** Settings by the names that `program` knows. */
export function settingsOf(
  { settings = {} }: Program,
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const entries = Object.entries(environment);
  return Object.fromEntries(entries.map(([name, value]) => [settings[name] ?? name, value]));
}

/**
 * Built in .cache the first time. Undefined, and `print` says why, where git lacks the commit: in a
 * shallow clone or an archive. Throws when the build fails.
 */
export async function findBefore(
  repository: string,
  print: (line: string) => void,
): Promise<Program | undefined> {
  const directory = join(repository, ".cache/before");
  const path = join(directory, `instant-${shortCommit}`);
  if (existsSync(path)) return { path, ...names };
  if ((await run(["git", "cat-file", "-e", `${commit}^{commit}`], repository)) !== undefined) {
    print(
      `${shortCommit} is not in this clone, so nothing is compared with it; it may be shallow:`,
    );
    print("  git fetch --unshallow");
    return undefined;
  }
  print(`building the program as of ${shortCommit}, once`);
  const sources = join(directory, `${process.pid}`);
  mkdirSync(sources, { recursive: true });
  try {
    await must(["/bin/sh", "-c", `git archive ${commit} | tar -x -C "${sources}"`], repository);
    await must(["scripts/build"], sources); // installs its own packages first
    renameSync(join(sources, "instant"), path);
  } finally {
    rmSync(sources, { recursive: true });
  }
  return { path, ...names };
}

async function must(command: readonly string[], cwd: string): Promise<void> {
  const problem = await run(command, cwd);
  if (problem !== undefined) throw new Error(`building ${shortCommit} failed:\n${problem}`);
}

/** Undefined when it succeeded, else what it printed. */
async function run(command: readonly string[], cwd: string): Promise<string | undefined> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const outputs = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
  const [out = "", err = ""] = await Promise.all(outputs);
  return (await child.exited) === 0 ? undefined : `${out}${err}`.trim();
}
