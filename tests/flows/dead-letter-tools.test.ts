import { describe, expect, test } from "bun:test";
import { eventRecordBytesMax } from "../../src/email/event.ts";
import type { LogRecord } from "../../src/email/event-log/event-log.ts";
import { findEngine } from "../../support/engines.ts";
import type { DeliveryRig } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka") ?? "";
const kcat = findEngine("kcat") ?? "";
const jars = findEngine("kafka-jars") ?? "";
const complete = kafka !== "" && kcat !== "" && jars !== "";
const bytes = (text: string) => new TextEncoder().encode(text);

async function run(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdin: "ignore", stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${command[0]}: ${errors}`);
  return output;
}

/** A rig whose records all became dead letters. */
async function openBuried(records: readonly Pick<LogRecord, "key" | "value" | "headers">[]) {
  const rig = await openDeliveryRig({ kafka });
  await rig.startWorker();
  for (const record of records) await rig.publishRecord(record);
  await rig.untilDrained();
  return rig;
}

function headerBytes(record: LogRecord, name: string): Uint8Array {
  const value = record.headers.find(([other]) => other === name)?.[1];
  if (!value) throw new Error(`no header ${name}`);
  return value;
}

/** The numbers as any other program would read them, by the DataView of the language. */
function view(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.byteLength);
}

const damaged = {
  key: bytes("k"),
  value: bytes("{"),
  headers: [
    ["7", bytes("seven")],
    ["trace", null],
    ["trace", bytes("second")],
  ],
} as const;

async function firstDeadLetter(rig: DeliveryRig): Promise<LogRecord> {
  const [deadLetter] = await rig.deadLetters();
  if (deadLetter === undefined) throw new Error("there is no dead letter");
  return deadLetter.record;
}

describe.skipIf(!complete)("a dead letter read by other programs", () => {
  test("shows its headers to kcat, null and number-like ones included", async () => {
    await using rig = await openBuried([damaged]);
    const output = await run([
      kcat,
      "-b",
      kafka,
      "-C",
      "-t",
      rig.deadLetterTopic,
      "-e",
      "-q",
      "-J",
    ]);
    const deadLetter = JSON.parse(output);
    expect(deadLetter).toMatchObject({ key: "k", payload: "{" });
    const names = deadLetter.headers.filter((_: unknown, index: number) => index % 2 === 0);
    expect(names.toSorted()).toEqual(
      [
        "7",
        "trace",
        "trace",
        ...["topic", "partition", "offset", "timestamp", "timestamp-type", "consumer-group"].map(
          (name) => `kafka_dlt-original-${name}`,
        ),
        "kafka_dlt-exception-fqcn",
        "kafka_dlt-exception-message",
        ...["class", "attempts", "failed-at", "replay-count"].map((name) => `x-instant-${name}`),
      ].toSorted(),
    );
    const shown = (name: string) => deadLetter.headers[deadLetter.headers.indexOf(name) + 1];
    expect(shown("kafka_dlt-original-topic")).toBe(rig.eventsTopic);
    expect(shown("x-instant-class")).toBe("malformed");
    expect(shown("trace")).toBeNull();
  });

  test("shows its headers to Kafka's own console consumer", async () => {
    await using rig = await openBuried([damaged]);
    const output = await run([
      ...["java", "-cp", `${jars}/*`, "org.apache.kafka.tools.consumer.ConsoleConsumer"],
      ...["--bootstrap-server", kafka, "--topic", rig.deadLetterTopic, "--from-beginning"],
      ...["--max-messages", "1", "--timeout-ms", "20000"],
      ...["--formatter-property", "print.headers=true", "--formatter-property", "print.key=true"],
    ]);
    expect(output).toContain(`kafka_dlt-original-topic:${rig.eventsTopic}`);
    expect(output).toContain("x-instant-class:malformed");
    expect(output).toContain("kafka_dlt-exception-message:the value is not JSON in UTF-8");
    expect(output.trimEnd()).toEndWith("k\t{");
  });

  test("has its origin as big-endian int32 and int64", async () => {
    await using rig = await openBuried([damaged, damaged]);
    const deadLetter = await firstDeadLetter(rig);
    const [origin] = await Array.fromAsync(
      rig.eventLog.readRange({
        topic: rig.eventsTopic,
        partition: view(headerBytes(deadLetter, "kafka_dlt-original-partition")).getInt32(0),
        from: Number(view(headerBytes(deadLetter, "kafka_dlt-original-offset")).getBigInt64(0)),
        to: Number.MAX_SAFE_INTEGER,
      }),
    );
    expect(origin?.value).toEqual(deadLetter.value);
    const timestamp = view(headerBytes(deadLetter, "kafka_dlt-original-timestamp")).getBigInt64(0);
    expect(Number(timestamp)).toBe(origin?.timestamp ?? 0);
  });

  test("can be of a record without key and value, and of one at the size limit", async () => {
    const largest = new Uint8Array(eventRecordBytesMax - 2048).fill(0x61);
    await using rig = await openBuried([
      { key: null, value: null, headers: [] },
      { key: null, value: largest, headers: [["trace", new Uint8Array(1024)]] },
    ]);
    const sizes = (await rig.deadLetters()).map(({ record }) => record.value?.length ?? null);
    expect(sizes).toHaveLength(2);
    expect(sizes).toContain(null);
    expect(sizes).toContain(largest.length);
  });
});
