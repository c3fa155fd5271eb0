import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MissingError, needProgram, run } from "./packages.ts";

/** What the examples of docs/producing.md need beside kcat and Kafka's jars, at fixed versions. */
const pythonPackages = ["confluent-kafka==2.16.1", "kafka-python==3.0.12"] as const;
const franzGo = "github.com/twmb/franz-go@v1.22.3";
const goMinorMin = 24; // crypto/rand.Text

type Say = (line: string) => void;

/** A Python with both Kafka clients, in a virtual environment of the repository's cache. */
export async function needPythonClients(repository: string, say: Say): Promise<string> {
  const directory = join(repository, ".cache", "producers", `python-${versionsOf(pythonPackages)}`);
  const python = join(directory, "bin", "python");
  if (existsSync(join(directory, "complete"))) return python;
  const system = await needProgram("python3", { debian: "python3-venv", say });
  say(`fetching ${pythonPackages.join(" and ")} with pip, once`);
  rmSync(directory, { recursive: true, force: true });
  await run([system, "-m", "venv", directory]);
  await run([python, "-m", "pip", "install", "--quiet", ...pythonPackages]);
  writeFileSync(join(directory, "complete"), "");
  return python;
}

/** The folder of a Go module that requires franz-go, which was compiled once. */
export async function needGoModule(repository: string, say: Say): Promise<string> {
  const parent = join(repository, ".cache", "producers");
  const directory = join(parent, `go-${versionsOf([franzGo])}`);
  const go = await needProgram("go", { debian: "golang-go", say });
  const version = await run([go, "version"]);
  const minor = Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0);
  if (minor < goMinorMin) throw new MissingError(`Go 1.${goMinorMin} is needed, not ${version}`);
  if (existsSync(directory)) return directory;
  say(`fetching ${franzGo}, once`);
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
