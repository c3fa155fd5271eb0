/** What an outside tool said of the whole repository. */
export interface ToolReport {
  readonly ok: boolean;
  readonly output: string;
}

const toolDeadlineMs = 120_000;

/** Format, lint and import order. With `--write` it mends what can be mended safely. */
export function runBiome(repository: string, write: boolean): Promise<ToolReport> {
  const mode = write ? ["--write"] : [];
  return runTool(repository, "node_modules/@biomejs/biome/bin/biome", [
    "check",
    "--error-on-warnings",
    ...mode,
  ]);
}

/** Types, as strict as tsconfig.json says. */
export function runTypeScript(repository: string): Promise<ToolReport> {
  return runTool(repository, "node_modules/typescript/bin/tsc", ["--noEmit", "--project", "."]);
}

async function runTool(
  repository: string,
  program: string,
  parameters: readonly string[],
): Promise<ToolReport> {
  const child = Bun.spawn([process.execPath, program, ...parameters], {
    cwd: repository,
    env: process.env,
    stdout: "pipe",
    stderr: "pipe",
    timeout: toolDeadlineMs,
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { ok: code === 0, output: `${stdout}${stderr}`.trim() };
}
