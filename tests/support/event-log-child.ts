import { eventually } from "../../support/eventually.ts";
import { openEventLog } from "./event-logs.ts";
import { handleEach } from "./handle-each.ts";

interface EventLogChild extends AsyncDisposable {
  /** The lines it printed so far. */
  readonly lines: readonly string[];
  /** Ends it as a power cut would: kill -9. */
  kill(): Promise<void>;
  /** Waits until it printed `count` lines that begin with `word`; returns what follows the word. */
  printed(word: string, count: number): Promise<readonly string[]>;
}

export function spawnEventLogChild(task: EventLogChildTask): EventLogChild {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(task)], {
    stdout: "pipe",
    stderr: "inherit",
  });
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

/**
 * A process of its own that uses an event log until it is killed. It prints a line per fact:
 * `published <partition> <offset>`, `started <partition> <offset>`, `finished <partition> <offset>`.
 */
interface EventLogChildTask {
  readonly address: string;
  readonly topic: string;
  /** Publishes one record without a key for each of these values. */
  readonly publish: readonly string[];
  /** Then reads in this group, finishes so many records and holds the others for ever. */
  readonly read?: { readonly group: string; readonly finish: number };
}

async function run(task: EventLogChildTask): Promise<void> {
  const log = await openEventLog(task.address);
  for (const text of task.publish) {
    const record = { key: null, value: Buffer.from(text), headers: [] };
    const [at] = await log.publish(task.topic, [record], { deadlineMs: 10_000 });
    say("published", at?.partition, at?.offset);
  }
  if (task.read !== undefined) await read(log, task.topic, task.read);
  await new Promise(() => setInterval(() => {}, 60_000)); // until it is killed
}

async function read(
  log: Awaited<ReturnType<typeof openEventLog>>,
  topic: string,
  { group, finish }: { readonly group: string; readonly finish: number },
): Promise<void> {
  let finished = 0;
  await log.subscribe({
    topic,
    group,
    handle: handleEach(async ({ partition, offset }) => {
      say("started", partition, offset);
      if (finished >= finish) await new Promise(() => {});
      finished += 1;
      say("finished", partition, offset);
    }),
  });
}

function say(...words: readonly (string | number | undefined)[]): void {
  process.stdout.write(`${words.join(" ")}\n`);
}

if (import.meta.main) await run(JSON.parse(process.argv[2] ?? "{}") as EventLogChildTask);
