import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InstantError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import type { BuryDeps } from "../../src/email/dead-letters/bury.ts";
import { bury, UnwrittenDeadLetters } from "../../src/email/dead-letters/bury.ts";
import type { DeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import { selectDeadLetter } from "../../src/email/dead-letters/replay-plan.ts";
import { EmailWorker } from "../../src/email/delivery/worker.ts";
import type { EventLog, LogRecord } from "../../src/email/event-log/event-log.ts";
import { eventLogErrors } from "../../src/email/event-log/event-log.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { DeliveryRig } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** The rig's log, but the dead-letter topic acknowledges nothing while `refuses` says so. */
function withDeafDeadLetters(rig: DeliveryRig, refuses: () => boolean): EventLog {
  const { eventLog, deadLetterTopic } = rig;
  return {
    ...eventLog,
    publish: (topic, records, options) => {
      if (topic !== deadLetterTopic || !refuses()) return eventLog.publish(topic, records, options);
      return Promise.reject(new InstantError(eventLogErrors.logUnavailable));
    },
  };
}

test("a dead letter that is not acknowledged keeps its record uncommitted, and is written once it can be", async () => {
  await using rig = await openDeliveryRig();
  let refused = 0;
  let isDeaf = true;
  const worker = new EmailWorker({
    ...rig,
    eventLog: withDeafDeadLetters(rig, () => {
      if (isDeaf) refused += 1;
      return isDeaf;
    }),
    pendingOutcomes: { count: 0, onPending: () => {} },
    clock: systemClock,
    log: silentLog,
    settings: {
      eventsTopic: rig.eventsTopic,
      deadLetterTopic: rig.deadLetterTopic,
      group: rig.group,
      drainMs: 1000,
      poisonMax: 0,
    },
    onFailed: (error) => {
      throw error;
    },
  });
  await worker.start();
  rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text: "550 5.1.1 unknown" } });
  await rig.publish(welcomeEvent());
  await eventually("it was refused twice", () => refused >= 2);
  const uncommitted = await rig.eventLog.lag(rig.eventsTopic, rig.group);
  expect(uncommitted.reduce((sum, { records }) => sum + records, 0)).toBe(1);
  isDeaf = false;
  await rig.untilDrained();
  expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["rejected"]);
  await worker.stop();
});

/** What cannot be read as a whole becomes a dead letter that fits, and what is behind it is sent. */
const kafka = findEngine("kafka") ?? "";
const kcat = findEngine("kcat") ?? "";
const mebibyte = 1024 * 1024;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function headersOf({ record }: DeadLetter) {
  return Object.fromEntries(
    record.headers.map(([name, value]) => [name, Buffer.from(value ?? []).toString()]),
  );
}

function isReplayed(deadLetter: DeadLetter): string {
  const all = { classes: undefined, messageId: undefined, recipient: undefined, since: undefined };
  const verdict = selectDeadLetter(
    deadLetter,
    { ...all, maxReplays: 3, includeTooOld: false },
    Date.now(),
  );
  return verdict.kind === "skip" ? verdict.reason : verdict.kind;
}

async function produce(topic: string, codec: string, value: Buffer): Promise<void> {
  const flags = ["-z", codec, "-k", "key", "-H", "name=value", "-p", "0"];
  const settings = ["-X", "message.max.bytes=100000000"];
  const path = `/tmp/value-${crypto.randomUUID()}`;
  await Bun.write(path, value);
  const command = [kcat, "-b", kafka, "-P", "-t", topic, ...flags, ...settings, path];
  const child = Bun.spawn(command, { stderr: "pipe" });
  const errors = await child.stderr.text();
  await Bun.file(path).delete();
  if ((await child.exited) !== 0) throw new Error(errors);
}

async function sendAfterwards(rig: DeliveryRig): Promise<void> {
  for (let mail = 0; mail < 6; mail += 1) await rig.publish(welcomeEvent());
  await rig.untilDrained(30_000);
  expect(rig.sink.accepted.length).toBe(6);
}

test.skipIf(kafka === "" || kcat === "")(
  "a bomb in any codec becomes a dead letter that fits, and is never replayed",
  async () => {
    await using rig = await openDeliveryRig({ kafka });
    const worker = await rig.startWorker();
    for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
      for (const megabytes of [3, 18]) {
        await produce(rig.eventsTopic, codec, Buffer.alloc(megabytes * mebibyte));
      }
    }
    await sendAfterwards(rig);
    const deadLetters = await rig.deadLetters();
    expect(deadLetters.length).toBe(8);
    for (const deadLetter of deadLetters) {
      const bytes = [3, 18][deadLetters.indexOf(deadLetter) % 2] ?? 0;
      const {
        "x-instant-value-bytes": size,
        "x-instant-value-sha256": hash,
        name,
      } = headersOf(deadLetter);
      const { originalTopic, isWhole, ...facts } = deadLetter.facts;
      expect(facts).toMatchObject({ class: "malformed", originalPartition: 0 });
      expect(originalTopic).toBe(rig.eventsTopic);
      expect(isWhole).toBe(false);
      expect(Buffer.from(deadLetter.record.key ?? []).toString()).toBe("key");
      expect(deadLetter.record.value?.byteLength).toBe(64 * 1024);
      expect(name).toBe("value");
      expect(Number(size) % mebibyte).toBe(0);
      expect(hash).toBe(sha256(Buffer.alloc(Number(size))));
      expect(bytes).toBeGreaterThan(0);
      expect(isReplayed(deadLetter)).toBe("not whole");
    }
    expect(worker.pausedReasons).toEqual([]);
  },
  60_000,
);

test.skipIf(!hasOwnKafka())(
  "a batch that rotted on the broker's disk becomes one dead letter, and the next is delivered",
  async () => {
    using directory = temporaryDirectory();
    await using own = await openOwnKafka({ properties: { "log.dirs": directory.path } });
    await using rig = await openDeliveryRig({ kafka: own.brokers });
    for (let mail = 0; mail < 3; mail += 1) {
      await rig.publish(welcomeEvent({ recipient: `person${mail}@example.com` }));
    }
    const [partition] = (await rig.eventLog.offsets(rig.eventsTopic)).filter(
      ({ next }) => next > 0,
    );
    await own.stop();
    // One bit of the first record of that partition: its checksum does not match any more.
    const folder = `${rig.eventsTopic}-${partition?.partition}`;
    const path = join(directory.path, folder, "00000000000000000000.log");
    const segment = readFileSync(path);
    segment.writeUInt8((segment[120] ?? 0) ^ 1, 120);
    writeFileSync(path, segment);
    await own.start();
    await rig.startWorker();
    await rig.untilDrained(30_000);
    const [deadLetter, ...others] = await rig.deadLetters();
    expect(others).toEqual([]);
    expect(deadLetter?.facts).toMatchObject({
      class: "malformed",
      originalOffset: 0,
      isWhole: false,
    });
    expect(deadLetter?.facts.reason).toContain("checksum");
    expect(rig.sink.accepted.length).toBe(2);
  },
  60_000,
);

test("a dead letter that its topic refuses as too large is shortened", async () => {
  await using rig = await openDeliveryRig();
  const { eventLog, deadLetterTopic } = rig;
  const buried: string[] = [];
  const unwritten = new UnwrittenDeadLetters(systemClock);
  const small = { ...eventLog, publish: refusingOver(eventLog, 10_000) };
  const value = Buffer.alloc(100 * 1024, "v");
  const record: LogRecord = {
    topic: "events",
    partition: 1,
    offset: 7,
    timestamp: 1,
    timestampType: "CreateTime",
    key: Buffer.from("key"),
    value,
    headers: [["name", Buffer.from("value")]],
  };
  const cause = { class: "malformed", reason: "x", messageId: undefined, attempts: 0 } as const;
  const deps: BuryDeps = {
    ...{ eventLog: small, ledger: rig.ledger, clock: systemClock, log: silentLog, unwritten },
    onBuried: (name) => buried.push(name),
    settings: { deadLetterTopic, group: "group" },
  };
  await bury(deps, record, { ...cause, inLedger: false }, new AbortController().signal);
  const [deadLetter] = await rig.deadLetters();
  expect(deadLetter?.record.value).toEqual(new Uint8Array(value.subarray(0, 4096)));
  expect(Buffer.from(deadLetter?.record.key ?? []).toString()).toBe("key");
  expect(deadLetter && headersOf(deadLetter)).toMatchObject({
    name: "value",
    "x-instant-value-bytes": String(value.length),
    "x-instant-value-sha256": sha256(value),
  });
  expect(deadLetter && isReplayed(deadLetter)).toBe("not whole");
  expect(buried).toEqual(["malformed"]);
  expect(unwritten.count).toBe(0);
});

function refusingOver(eventLog: EventLog, bytesMax: number): EventLog["publish"] {
  return (topic, records, options) => {
    const isLarge = records.some(({ value }) => (value?.byteLength ?? 0) > bytesMax);
    if (isLarge) return Promise.reject(new InstantError(eventLogErrors.recordTooLarge));
    return eventLog.publish(topic, records, options);
  };
}

test("a dead letter that waits for 10 s makes serve-email not ready, with the reason", async () => {
  const clock = new FakeClock();
  const unwritten = new UnwrittenDeadLetters(clock);
  const record = { partition: 0, offset: 0 } as LogRecord;
  unwritten.add(record);
  unwritten.failed(record, "the topic is missing");
  await clock.advance(9_000);
  expect(unwritten.reason).toBeUndefined();
  await clock.advance(2_000);
  expect(unwritten.reason).toBe(
    "a dead letter has not been acknowledged for 11 s: the topic is missing",
  );
  expect(unwritten.count).toBe(1);
  unwritten.remove(record);
  expect(unwritten.reason).toBeUndefined();
});
