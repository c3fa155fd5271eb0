import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import type { EventLogChildTask } from "./event-log-child.ts";

export interface EventLogChild extends AsyncDisposable {
  /** The lines it printed so far. */
  readonly lines: readonly string[];
  /** Ends it as a power cut would: kill -9. */
  kill(): Promise<void>;
  /** Waits until it printed `count` lines that begin with `word`; returns what follows the word. */
  printed(word: string, count: number): Promise<readonly string[]>;
}

export function spawnEventLogChild(task: EventLogChildTask): EventLogChild {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "event-log-child.ts"), JSON.stringify(task)],
    {
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const lines: string[] = [];
  const reading = readLines(child.stdout, lines);
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
    await reading;
  };
  return {
    lines,
    kill,
    printed: (word, count) =>
      eventually(
        `the child prints ${count} × ${word}`,
        () => {
          const printed = lines.filter((line) => line.startsWith(`${word} `));
          return printed.length >= count && printed.map((line) => line.slice(word.length + 1));
        },
        40_000,
      ),
    [Symbol.asyncDispose]: kill,
  };
}

async function readLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  }
}
