import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { DeliveryRig, DeliveryRigOptions } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

/** What one worker does with one mail, in good times and bad ones. */
function deliverySuite(engines: DeliveryRigOptions): void {
  const open = (options: DeliveryRigOptions = {}) => openDeliveryRig({ ...engines, ...options });
  const phrasesOf = (rig: DeliveryRig, messageId: string) =>
    rig.lines.filter((line) => line.messageID === messageId).map((line) => line.msg);

  describe("a mail", () => {
    test("is sent once, with the guide's three lines and its message_id in all of them", async () => {
      await using rig = await open();
      await rig.startWorker();
      const event = codeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(phrasesOf(rig, event.messageId)).toEqual([
        "Email event consumed",
        "Email sent successfully",
        "Marked email as processed",
      ]);
      expect(rig.sink.accepted.map(({ messageId, to }) => [messageId, ...to])).toEqual([
        [event.messageId, event.recipient],
      ]);
      expect(await rig.ledger.find(event.messageId)).toMatchObject({ state: "accepted" });
    });

    test("whose event comes twice is sent once, and the second one is logged as a duplicate", async () => {
      await using rig = await open();
      await rig.startWorker();
      const event = codeEvent();
      await rig.publish(event);
      await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.acceptedTotal).toBe(1);
      expect(phrasesOf(rig, event.messageId)).toContain("Duplicate email event detected, skipping");
    });

    test("that expired before it could be sent is not sent", async () => {
      await using rig = await open();
      await rig.startWorker();
      const event = codeEvent({ timestamp: Date.now() - 3_600_000 });
      await rig.publish({ ...event, expiresAt: event.timestamp + 600_000 });
      await rig.untilDrained();
      expect(rig.sink.acceptedTotal).toBe(0);
      expect(await rig.ledger.find(event.messageId)).toMatchObject({ state: "expired" });
      expect(await rig.deadLetters()).toEqual([]);
    });

    test("refused with 550 becomes a dead letter at once, with the server's words", async () => {
      await using rig = await open();
      await rig.startWorker();
      const does = { kind: "reply", text: "550 5.1.1 no such user" } as const;
      rig.sink.misbehave({ at: "rcpt", does });
      const event = welcomeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      const [deadLetter, ...others] = await rig.deadLetters();
      expect(others).toEqual([]);
      expect(deadLetter).toMatchObject({
        messageId: event.messageId,
        facts: { class: "rejected" },
      });
      expect(deadLetter?.facts.reason).toContain("550 5.1.1 no such user");
      const record = await rig.ledger.find(event.messageId);
      expect(record).toMatchObject({ state: "rejected", buried: { partition: 0, offset: 0 } });
    });

    test("deferred with 451 is tried again and sent once", async () => {
      await using rig = await open();
      await rig.startWorker();
      const does = { kind: "reply", text: "451 4.7.1 greylisted" } as const;
      rig.sink.misbehave({ at: "rcpt", does, times: 2 });
      const event = welcomeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.countByMessageId().get(event.messageId)).toBe(1);
      expect(await rig.ledger.find(event.messageId)).toMatchObject({ attempts: 2 });
    });

    test("deferred beyond its time is given up as retries_exhausted", async () => {
      await using rig = await open({ retryForMs: 1000 });
      await rig.startWorker();
      const does = { kind: "reply", text: "451 4.7.1 later" } as const;
      rig.sink.misbehave({ at: "rcpt", does });
      await rig.publish(welcomeEvent());
      await rig.untilDrained(20_000);
      const deadLetters = await rig.deadLetters();
      expect(deadLetters.map(({ facts }) => [facts.class, facts.attempts])).toEqual([
        ["retries_exhausted", 4],
      ]);
    });

    test("that is deferred does not delay other people's mails", async () => {
      await using rig = await open();
      await rig.startWorker();
      const does = { kind: "reply", text: "451 4.7.1 later" } as const;
      rig.sink.misbehave({ at: "rcpt", does, recipient: "^slow@" });
      await rig.publish(codeEvent({ recipient: "slow@example.com" }));
      const others = Array.from({ length: 20 }, () => codeEvent());
      for (const event of others) await rig.publish(event);
      await eventually("the others are sent", () => rig.sink.acceptedTotal === others.length);
    });

    test("cut off before the dot is sent once on a fresh connection", async () => {
      await using rig = await open();
      await rig.startWorker();
      rig.sink.misbehave({ at: "data", does: { kind: "drop" }, times: 1 });
      const event = welcomeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.countByMessageId().get(event.messageId)).toBe(1);
      expect(await rig.ledger.find(event.messageId)).toMatchObject({ attempts: 0 });
    });
  });

  describe("a mail whose answer was lost after the dot", () => {
    const lost = { at: "dot", does: { kind: "drop", count: true }, times: 1 } as const;

    test("is sent again once when it is a code that has not expired, with the same Message-ID", async () => {
      await using rig = await open();
      await rig.startWorker();
      rig.sink.misbehave(lost);
      const event = codeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.countByMessageId().get(event.messageId)).toBe(2);
      expect(await rig.ledger.find(event.messageId)).toMatchObject({
        state: "accepted",
        resubmissions: 1,
      });
    });

    test("becomes an ambiguous dead letter when it is of another type", async () => {
      await using rig = await open();
      await rig.startWorker();
      rig.sink.misbehave(lost);
      const event = welcomeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.countByMessageId().get(event.messageId)).toBe(1);
      const deadLetters = await rig.deadLetters();
      expect(deadLetters.map(({ facts }) => facts.class)).toEqual(["ambiguous"]);
    });

    test("becomes one, too, when the answer to the resubmission is lost", async () => {
      await using rig = await open();
      await rig.startWorker();
      rig.sink.misbehave({ ...lost, times: 2 });
      const event = codeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.countByMessageId().get(event.messageId)).toBe(2);
      expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["ambiguous"]);
    });
  });

  describe("an SMTP server that is down", () => {
    test("pauses all mails, costs no attempt, and gets them when it is back", async () => {
      await using rig = await open();
      const worker = await rig.startWorker();
      await rig.sink.refuse();
      const events = Array.from({ length: 30 }, () => welcomeEvent());
      for (const event of events) await rig.publish(event);
      await eventually("the worker pauses", () => worker.pausedReasons.length > 0);
      expect(worker.pausedReasons[0]).toContain("127.0.0.1");
      await rig.sink.listen();
      await rig.untilDrained();
      expect(worker.pausedReasons).toEqual([]);
      expect(rig.sink.acceptedTotal).toBe(events.length);
      expect(await rig.deadLetters()).toEqual([]);
      const records = await Promise.all(events.map((event) => rig.ledger.find(event.messageId)));
      expect(records.every((record) => record?.attempts === 0)).toBe(true);
    });

    test("for too long: mails are given up as smtp_unavailable, and expired codes dropped", async () => {
      await using rig = await open({ outageRetryForMs: 1500 });
      await rig.sink.refuse();
      const code = codeEvent();
      const expiring = { ...code, expiresAt: code.timestamp + 1000 };
      await rig.publishTogether([expiring, welcomeEvent()]); // both begin before the pause
      await rig.startWorker();
      await rig.untilDrained();
      expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual([
        "smtp_unavailable",
      ]);
      expect(await rig.ledger.find(code.messageId)).toMatchObject({ state: "expired" });
    });
  });

  describe("poison", () => {
    test("of every kind becomes a dead letter with key, value and headers as they were", async () => {
      await using rig = await open();
      await rig.startWorker();
      const bytes = (text: string) => new TextEncoder().encode(text);
      const headers = [["trace", bytes("1")]] as const;
      await rig.publishRecord({ key: bytes("k"), value: bytes("{"), headers });
      await rig.publishRecord({ key: null, value: null, headers: [] });
      await rig.untilDrained();
      const deadLetters = await rig.deadLetters();
      const seen = deadLetters.map(({ record, facts }) => [
        facts.class,
        record.value === null ? null : Buffer.from(record.value).toString(),
        record.key === null ? null : Buffer.from(record.key).toString(),
      ]);
      expect(seen).toHaveLength(2);
      expect(seen).toContainEqual(["malformed", "{", "k"]);
      expect(seen).toContainEqual(["malformed", null, null]);
    });

    test("an id that is known with other data becomes an id_conflict, and is not sent", async () => {
      await using rig = await open();
      await rig.startWorker();
      const event = welcomeEvent();
      await rig.publish(event);
      await rig.publish({ ...event, recipient: "other@example.com" });
      await rig.untilDrained();
      expect(rig.sink.acceptedTotal).toBe(1);
      expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["id_conflict"]);
    });

    test("an event older than the ledger's memory becomes too_old, and is not sent", async () => {
      await using rig = await open();
      await rig.startWorker();
      await rig.publish(welcomeEvent({ timestamp: Date.now() - 24 * 3_600_000 }));
      await rig.untilDrained();
      expect(rig.sink.acceptedTotal).toBe(0);
      expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["too_old"]);
    });
  });
}

describe("delivery on the embedded engines", () => {
  deliverySuite({});
});

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("delivery on Kafka and Redis", () => {
  deliverySuite({ kafka, redis });
});

const hourMs = 3_600_000;

test.skipIf(kafka === undefined || redis === undefined)(
  "another KAFKA_CONSUMER_GROUP on a topic with a day of sent mail sends nothing again",
  async () => {
    const ends: string[] = [];
    await using rig = await openDeliveryRig({ kafka, redis, onEnd: (kind) => ends.push(kind) });
    await rig.startWorker();
    const events = Array.from({ length: 230 }, (_, index) =>
      index % 2 === 0
        ? welcomeEvent({ timestamp: Date.now() - (index / 10) * hourMs })
        : codeEvent(),
    );
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    expect(rig.sink.acceptedTotal).toBe(events.length);
    await rig.startWorker({ group: "email-service-group-1" });
    await rig.untilDrained(15_000, "email-service-group-1");
    expect(rig.sink.acceptedTotal).toBe(events.length);
    expect(ends.filter((kind) => kind === "duplicate")).toHaveLength(events.length);
    expect(await rig.deadLetters()).toEqual([]);
  },
);
