import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { encodeDeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import { eventDigest } from "../../src/email/delivery/claim-request.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import { encodeEmailEvent, eventKey, topicSpecs } from "../../src/email/event.ts";
import { openKafkaEventLog } from "../../src/email/event-log/kafka/kafka.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import { openRedisDeliveryLedger } from "../../src/email/ledger/redis.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess, runInstant } from "../../support/instant-process.ts";
import { openRedisAt } from "../../support/own-redis.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const kafka = findEngine("kafka");
const redisUrl = findEngine("redis");
const program = findEngine("instant");
const complete = kafka !== undefined && redisUrl !== undefined && program !== undefined;

const [total, acceptedMeanwhile, dead] = [10_000, 3_000, 1_000] as const;
const secret = "a secret of the test, which is long enough";
const smtp = { host: "mail.example.com", reply: "250 2.0.0 Ok", queueId: undefined };

/** A mail that was deferred until its tries were spent, as the ledger has it afterwards. */
async function giveUp(ledger: DeliveryLedger, event: EmailEvent, index: number): Promise<void> {
  const { messageId, eventType, recipient, timestamp: eventTimestamp } = event;
  const owner = `owner-${index}`;
  const claimed = await ledger.claim({
    ...{ messageId, owner, eventType, recipient, eventTimestamp },
    digest: eventDigest(secret, event),
    origin: undefined,
    replayCount: 0,
    leaseMs: 60_000,
    resubmit: false,
  });
  if (claimed.kind !== "claimed") throw new Error(`${messageId} is ${claimed.kind}`);
  const claim = { messageId, owner, fence: claimed.fence };
  const rejection = { class: "retries_exhausted", reason: "451 4.7.1 later" } as const;
  await ledger.advance(claim, { kind: "rejected", ...rejection });
  await ledger.markBuried(messageId, { partition: 0, offset: index });
  if (index < acceptedMeanwhile) await ledger.advance(claim, { kind: "accepted", smtp });
}

function letterOf(event: EmailEvent, index: number, topic: string) {
  const record = {
    ...{ topic, partition: 0, offset: index, timestamp: event.timestamp, headers: [] },
    timestampType: "CreateTime" as const,
    key: eventKey(event),
    value: encodeEmailEvent(event),
  };
  return encodeDeadLetter(record, {
    class: "retries_exhausted",
    reason: "451 4.7.1 later",
    attempts: 4,
    failedAt: Date.now(),
    group: "a group",
  });
}

/** `dead` codes that are dead by now, and mails that can still be sent; not older than a day. */
function eventAt(index: number): EmailEvent {
  if (index < total - dead) return welcomeEvent({ timestamp: Date.now() - 3_600_000 });
  const timestamp = Date.now() - 1_200_000;
  return codeEvent({ timestamp, expiresAt: timestamp + 600_000 });
}

describe.skipIf(!complete)("a replay of ten thousand letters", () => {
  test("sends exactly those that can be sent, though it is interrupted twice", async () => {
    using directory = temporaryDirectory();
    await using sink = await openSmtpSink();
    const name = `t${crypto.randomUUID().slice(0, 8)}`;
    const connection = { brokers: [kafka ?? ""], ssl: false, caFile: undefined, sasl: undefined };
    await using eventLog = await openKafkaEventLog({ connection, log: silentLog });
    const topics = { events: name, deadLetters: `${name}-dlq`, partitions: 3 };
    await eventLog.createTopics(topicSpecs({ ...topics, replicationFactor: 1 }), { grow: false });
    await using redis = await openRedisAt(redisUrl ?? "");
    const ledger = openRedisDeliveryLedger({ redis });
    const events = Array.from({ length: total }, (_, index) => eventAt(index));
    for (let from = 0; from < total; from += 500) {
      const batch = events.slice(from, from + 500);
      await Promise.all(batch.map((event, index) => giveUp(ledger, event, from + index)));
      const letters = batch.map((event, index) => letterOf(event, from + index, name));
      await eventLog.publish(topics.deadLetters, letters, { deadlineMs: 30_000 });
    }
    const environment = {
      KAFKA_BROKERS: kafka ?? "",
      REDIS_URL: redisUrl ?? "",
      KAFKA_TOPIC_EMAIL_EVENTS: topics.events,
      KAFKA_TOPIC_EMAIL_DLQ: topics.deadLetters,
      KAFKA_CONSUMER_GROUP: name,
      EMAIL_MODE: "smtp",
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(sink.port),
      SMTP_TLS: "none",
      SMTP_FROM: "noreply@example.com",
      EMAIL_SERVICE_PORT: "0",
      EMAIL_SECRET: secret,
      DATA_DIR: join(directory.path, "data"),
    };
    const options = { directory: directory.path, environment };
    await using worker = new InstantProcess(["serve-email"], {
      ...options,
      program: program ?? "",
    });
    const filters = ["replay-dlq", "--from-offset", "--class", "retries_exhausted", "--yes"];
    const drained = async () =>
      (await eventLog.lag(topics.events, name)).every(({ records }) => records === 0);
    const interrupted = async (signal: NodeJS.Signals) => {
      await eventually("nothing is on its way", drained, 60_000);
      const before = sink.acceptedTotal;
      const slow = new InstantProcess([...filters, "--rate", "2000"], {
        ...options,
        program: program ?? "",
      });
      await eventually("some are replayed", () => sink.acceptedTotal > before, 60_000);
      return { exitCode: await slow.stop(signal), output: slow.output };
    };
    const expected = total - acceptedMeanwhile - dead;
    const planned = await runInstant([...filters, "--dry-run", "--json"], options);
    expect(JSON.parse(planned.stdout)).toMatchObject({ dry_run: true, total: expected });
    expect((await interrupted("SIGINT")).output).toContain(
      "run the same command again to continue",
    );
    expect((await interrupted("SIGKILL")).output).toContain("Continuing the replay");
    const last = await runInstant(filters, options);
    expect([last.exitCode, last.stdout]).toEqual([
      0,
      expect.stringContaining("Continuing the replay"),
    ]);
    expect(last.stdout).toMatch(
      /class +dead letters +to replay +skipped[^✓]+✓ Replayed \d+ dead letters/,
    );
    await eventually("all are consumed", drained, 60_000);
    expect(sink.acceptedTotal).toBe(expected);
    expect(sink.countByMessageId().size).toBe(expected);
    expect(await worker.stop()).toBe(0);
  }, 180_000);
});
