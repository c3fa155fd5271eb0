import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

export const repository = resolve(import.meta.dir, "../..");

/** Coreutils that the scripts use; everything else they may need is Bun, Node, npm, git or bash. */
const coreutils = "basename cat chmod cp dirname env ln ls mkdir mktemp mv rm sort touch tr uname";

/**
 * A fresh copy of the repository as git would commit it, an empty home, and a PATH that holds only
 * Node with npm, git, bash and coreutils: what a stranger has.
 */
export function openCheckout() {
  const directory = temporaryDirectory();
  const path = join(directory.path, "instant");
  for (const file of listFiles()) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    cpSync(join(repository, file), join(path, file));
  }
  const home = join(directory.path, "home");
  const programs = join(directory.path, "bin");
  mkdirSync(home);
  mkdirSync(programs);
  for (const name of ["node", "npm", "git", "bash", ...coreutils.split(" ")]) {
    const program = Bun.which(name);
    if (program !== null) symlinkSync(program, join(programs, basename(program)));
  }
  return {
    path,
    environment: { HOME: home, PATH: programs },
    hasNpm: Bun.which("npm", { PATH: programs }) !== null,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function listFiles(): string[] {
  const command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = Bun.spawnSync(command, { cwd: repository });
  const gone = Bun.spawnSync(["git", "ls-files", "-z", "--deleted"], { cwd: repository });
  const deleted = new Set(gone.stdout.toString().split("\0"));
  return listed.stdout
    .toString()
    .split("\0")
    .filter((path) => path !== "" && !deleted.has(path));
}
