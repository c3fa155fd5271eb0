import type { Measured } from "./alternate.ts";
import { Child } from "./child.ts";
import { scriptCommand } from "./script.ts";
import type { Stage } from "./stage.ts";

/**
 * Runs a program of yardsticks/ to its end, as a process of its own: it shares the cores with the
 * servers just as the program does. Its last line is JSON with `perSecond` and `cpuMicros`.
 */
export async function runYardstick(
  stage: Stage,
  name: string,
  parameters: readonly (string | number)[],
): Promise<Measured> {
  const command = scriptCommand(stage, `yardsticks/${name}.ts`, ...parameters.map(String));
  await using child = new Child(command, { directory: stage.makeDirectory() });
  const lines = (await child.finish()).trim().split("\n");
  const { perSecond, cpuMicros } = JSON.parse(lines.at(-1) ?? "");
  return { value: Number(perSecond), cpuMicros: Number(cpuMicros) };
}
