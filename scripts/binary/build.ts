/** The command behind scripts/build: compiles src/main.ts and all it imports into ./instant. */
import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { resolve } from "node:path";
import { isFresh } from "./fresh.ts";

/**
 * Without the two `--no-compile-autoload` flags the binary would read `.env` and run what a
 * bunfig.toml names in whatever directory it is started. Bytecode makes the first answer quick.
 */
const flags = [
  "--compile",
  "--format=esm",
  "--bytecode",
  "--splitting", // a command reads its own modules only
  "--minify",
  "--sourcemap",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
];

/** What the binary is made of. */
const sources = ["src", "patches", "package.json", "bun.lock", "tsconfig.json", "scripts/binary"];

const parameters = process.argv.slice(2);
if (parameters.some((parameter) => parameter !== "--if-needed")) {
  console.error("usage: scripts/build [--if-needed]");
  process.exit(2);
}
const repository = resolve(import.meta.dir, "../..");
const binary = resolve(repository, "instant");
const fresh = isFresh(
  binary,
  sources.map((source) => resolve(repository, source)),
);
if (parameters.includes("--if-needed") && fresh) process.exit(0);

// Built aside and moved into place, so that a running ./instant keeps its file.
const aside = resolve(repository, `.cache/build/${process.pid}`);
mkdirSync(aside, { recursive: true });
const outfile = resolve(aside, "instant");
const startedAt = new Date();
const built = Bun.spawnSync(
  [process.execPath, "build", ...flags, "src/main.ts", "--outfile", outfile],
  { cwd: repository, stdout: "pipe", stderr: "pipe" },
);
if (!built.success) {
  rmSync(aside, { recursive: true });
  console.error(`${built.stderr.toString()}${built.stdout.toString()}`.trim());
  console.error("scripts/build: ./instant was not built");
  process.exit(1);
}
// As old as the start of the build: what is changed meanwhile makes it stale.
utimesSync(outfile, startedAt, startedAt);
renameSync(outfile, binary);
rmSync(aside, { recursive: true }); // the source maps stand inside the binary, too
const megabytes = (statSync(binary).size / 1e6).toFixed(1);
const seconds = ((Date.now() - startedAt.getTime()) / 1000).toFixed(1);
console.log(`./instant built: ${megabytes} MB in ${seconds} s`);
