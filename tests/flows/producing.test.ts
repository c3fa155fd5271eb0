import { describe, expect, test } from "bun:test";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeEmailEvent } from "../../src/email/event.ts";
import { partitionOfKey } from "../../src/email/event-log/event-log.ts";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";
import { readAll, textOf } from "../support/event-logs.ts";

const kafka = findEngine("kafka");
const python = findEngine("python");
const goModule = findEngine("go");
const jars = findEngine("kafka-jars");
const kcat = findEngine("kcat");
const page = "docs/producing.md";

/** Runs a block as a reader would, in a directory of its own. */
interface Example {
  readonly language: string;
  /** Which block of its language. */
  readonly at?: number;
  readonly file: string;
  readonly command: readonly string[] | undefined;
  /** What must stand beside it. */
  readonly beside?: string | undefined;
}

const examples: Readonly<Record<string, Example>> = {
  kafkajs: { language: "ts", file: "produce.ts", command: [process.execPath, "produce.ts"] },
  "confluent-kafka": {
    language: "python",
    file: "produce.py",
    command: python === undefined ? undefined : [python, "produce.py"],
  },
  "kafka-python": {
    language: "python",
    at: 1,
    file: "produce.py",
    command: python === undefined ? undefined : [python, "produce.py"],
  },
  "kafka-clients": {
    language: "java",
    file: "Producer.java",
    command:
      jars === undefined
        ? undefined
        : ["java", "-XX:TieredStopAtLevel=1", "-cp", join(jars, "*"), "Producer.java"],
  },
  "franz-go": {
    language: "go",
    file: "main.go",
    command: goModule === undefined ? undefined : ["go", "run", "."],
    beside: goModule,
  },
  kcat: {
    language: "bash",
    file: "produce.sh",
    command: kcat === undefined ? undefined : ["bash", "-eu", "produce.sh"],
  },
};

async function runExample(example: Example, topic: string): Promise<void> {
  const block = readCodeBlocks(page, example.language)[example.at ?? 0] ?? "";
  using directory = temporaryDirectory();
  // kafkajs is found only from inside the repository.
  const inside = example.language === "ts";
  const file = inside ? `producing-${crypto.randomUUID()}.ts` : example.file;
  const cwd = inside ? "tests/flows" : directory.path;
  const path = join(cwd, file);
  if (example.beside !== undefined) cpSync(example.beside, directory.path, { recursive: true });
  writeFileSync(path, block);
  try {
    const command = (example.command ?? []).map((part) => (part === example.file ? file : part));
    const environment = {
      ...process.env,
      KAFKA_BROKERS: kafka ?? "",
      KAFKA_TOPIC_EMAIL_EVENTS: topic,
    };
    const child = Bun.spawn(command, { cwd, env: environment, stderr: "pipe" });
    const errors = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) throw new Error(`${example.language}: ${errors}`);
  } finally {
    rmSync(path, { force: true });
  }
}

describe("docs/producing.md", () => {
  test("shows an event that is one", () => {
    const [json = ""] = readCodeBlocks(page, "json");
    expect(decodeEmailEvent(new TextEncoder().encode(json)).kind).toBe("event");
  });

  test("shows no program that is not run here", () => {
    const shown = ["ts", "python", "java", "go", "bash"].map((language) => {
      return readCodeBlocks(page, language).length;
    });
    expect(shown).toEqual([1, 2, 1, 1, 1]);
  });

  test.skipIf(kafka === undefined)(
    "shows programs that get a mail sent, from the partition where ours would be",
    async () => {
      await using rig = await openDeliveryRig({ kafka });
      await rig.startWorker();
      const runnable = Object.values(examples).filter(({ command }) => command !== undefined);
      await Promise.all(runnable.map((example) => runExample(example, rig.eventsTopic)));
      await rig.untilDrained();
      const all = runnable.map(() => ["ana@example.com"]);
      expect(rig.sink.accepted.map(({ to }) => to)).toEqual(all);
      const key = new TextEncoder().encode("ana@example.com");
      const records = await readAll(rig.eventLog, rig.eventsTopic, partitionOfKey(key, 3));
      const events = records.map((record) => decodeEmailEvent(record.value));
      expect(events.map(({ kind }) => kind)).toEqual(runnable.map(() => "event"));
      expect(new Set(records.map(textOf)).size).toBe(runnable.length);
      expect(records.map((record) => Buffer.from(record.key ?? []).toString())).toEqual(
        runnable.map(() => "ana@example.com"),
      );
    },
    60_000,
  );
});
