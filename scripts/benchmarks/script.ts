import { join } from "node:path";
import type { Stage } from "./stage.ts";

/**
 * How a script of scripts/benchmarks is run as a process of its own, wherever it is started: Bun
 * takes how JSX is compiled from the tsconfig.json of the directory it is in.
 */
export function scriptCommand(stage: Stage, script: string, ...parameters: string[]): string[] {
  const path = join(stage.repository, "scripts/benchmarks", script);
  return [process.execPath, "--no-env-file", `--cwd=${stage.repository}`, path, ...parameters];
}
