import { choosePort } from "../../support/engines/server.ts";
import { eventually } from "../../support/eventually.ts";
import { Child } from "./child.ts";
import type { Stage } from "./stage.ts";

export interface ServedOptions {
  readonly command: readonly string[];
  /** Where it reads its port from. */
  readonly portVariable: string;
  /** Answers 200 as soon as anything does. */
  readonly path: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** An HTTP server as a process of its own, ours or a yardstick. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly process: Child;
}

/** Resolves when it answers. */
export async function serve(stage: Stage, options: ServedOptions): Promise<Served> {
  const { command, portVariable, path, environment } = options;
  const port = await choosePort(0);
  const url = `http://127.0.0.1:${port}`;
  await using stack = new AsyncDisposableStack();
  const child = stack.use(
    new Child(command, {
      directory: stage.makeDirectory(),
      environment: { [portVariable]: String(port), ...environment },
    }),
  );
  await eventually(`${url}${path} answers`, async () => {
    if (child.hasEnded) throw child.failure();
    const answer = await fetch(`${url}${path}`).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.ok;
  });
  const kept = stack.move();
  return { url, pid: child.pid, process: child, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
