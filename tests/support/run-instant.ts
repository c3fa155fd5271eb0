import { findEngine } from "../../support/engines.ts";

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program to its end with exactly this environment. */
export async function runInstant(
  parameters: readonly string[],
  options: { readonly directory: string; readonly environment?: Readonly<Record<string, string>> },
): Promise<Finished> {
  const program = findEngine("instant");
  if (program === undefined) throw new Error("the program is not built");
  const child = Bun.spawn([program, ...parameters], {
    cwd: options.directory,
    env: { ...options.environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}
