/** The command behind scripts/build: compiles src/main.ts and all it imports into ./instant. */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * Without the two `--no-compile-autoload` flags the binary would read `.env`, and run what a
 * bunfig.toml names, in whatever directory it is started. Bytecode makes it start fast.
 */
const flags = [
  "--compile",
  "--format=esm",
  "--bytecode",
  "--splitting", // a command loads its own modules only
  "--minify",
  "--sourcemap",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
];

/** What the binary is made of. */
const sources = ["src", "patches", "package.json", "bun.lock", "tsconfig.json", "scripts/binary"];

if (import.meta.main) process.exitCode = main(process.argv.slice(2));

function main(parameters: readonly string[]): number {
  if (parameters.some((parameter) => parameter !== "--if-needed")) {
    console.error("usage: scripts/build [--if-needed]");
    return 2;
  }
  const repository = resolve(import.meta.dir, "../..");
  const binary = resolve(repository, "instant");
  const paths = sources.map((source) => resolve(repository, source));
  if (parameters.includes("--if-needed") && isFresh(binary, paths)) return 0;
  return build(repository, binary) ? 0 : 1;
}

/**
 * Whether `product` exists and nothing under `sources` changed after it. Folders count too: their
 * time shows deleted files. A source that does not exist is ignored.
 */
export function isFresh(product: string, sources: readonly string[]): boolean {
  const builtAt = modifiedAt(product);
  if (builtAt === undefined) return false;
  return sources.every((source) => (newestUnder(source) ?? 0) <= builtAt);
}

function newestUnder(path: string): number | undefined {
  const own = modifiedAt(path);
  if (own === undefined) return undefined;
  if (!statSync(path).isDirectory()) return own;
  const times = readdirSync(path).map((name) => newestUnder(join(path, name)) ?? 0);
  return Math.max(own, ...times);
}

function modifiedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** Built in a folder of its own and moved into place: a running ./instant keeps its file. */
function build(repository: string, binary: string): boolean {
  const directory = resolve(repository, `.cache/build/${process.pid}`);
  mkdirSync(directory, { recursive: true });
  const outfile = resolve(directory, "instant");
  const startedAt = new Date();
  const built = Bun.spawnSync(
    [process.execPath, "build", ...flags, "src/main.ts", "--outfile", outfile],
    { cwd: repository, stdout: "pipe", stderr: "pipe" },
  );
  if (built.success) {
    // As old as the start of the build: a change made meanwhile makes it stale.
    utimesSync(outfile, startedAt, startedAt);
    renameSync(outfile, binary);
  }
  rmSync(directory, { recursive: true }); // the source maps are inside the binary too
  if (!built.success) {
    console.error(`${built.stderr.toString()}${built.stdout.toString()}`.trim());
    console.error("scripts/build: building ./instant failed");
    return false;
  }
  const megabytes = (statSync(binary).size / 1e6).toFixed(1);
  const seconds = ((Date.now() - startedAt.getTime()) / 1000).toFixed(1);
  console.log(`./instant built: ${megabytes} MB in ${seconds} s`);
  return true;
}
