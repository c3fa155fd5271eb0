import { describe, expect, test } from "bun:test";
import { InstantError } from "../../src/core/errors.ts";
import { eventLogErrors } from "../../src/email/event-log/event-log.ts";
import {
  findMailsOf,
  findTimeline,
  isSettled,
  timelineJson,
  timelineLines,
} from "../../src/email/timeline/timeline.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { DeliveryRig, DeliveryRigOptions } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

/** The life of a mail, as an operator asks for it. */
function timelineSuite(engines: DeliveryRigOptions): void {
  const depsOf = (rig: DeliveryRig) => ({ ...rig, eventLog: async () => rig.eventLog });

  async function getTimeline(rig: DeliveryRig, messageId: string) {
    const found = await findTimeline(depsOf(rig), messageId);
    if (found === undefined) throw new Error(`${messageId} is not known`);
    return found;
  }

  test("an accepted mail shows its steps, its position and the server's reply, and no address", async () => {
    await using rig = await openDeliveryRig(engines);
    await rig.startWorker();
    const event = codeEvent({ recipient: "ana@example.com" });
    await rig.publish(event);
    await rig.untilDrained();
    const found = await getTimeline(rig, event.messageId);
    expect(isSettled(found)).toBe(true);
    const json = JSON.parse(JSON.stringify(timelineJson(found)));
    expect(json).toMatchObject({
      message_id: event.messageId,
      state: "accepted",
      recipient: "a***@example.com",
      requested_at: new Date(event.timestamp).toISOString(),
      event: { topic: rig.eventsTopic, offset: 0 },
      smtp: { host: "127.0.0.1", reply: expect.stringMatching(/^250 /) },
    });
    const [owner] = json.history.map((step: { owner: string }) => step.owner);
    expect(owner).toMatch(/^[\w-]{16}\.\d+$/);
    for (const state of ["claimed", "submitting", "accepted"]) {
      expect(json.history).toContainEqual(expect.objectContaining({ state, fence: 1, owner }));
    }
    const lines = timelineLines(found).join("\n");
    expect(lines).toContain(`${rig.eventsTopic}/${found.record?.origin?.partition}/0`);
    expect(lines + JSON.stringify(json)).not.toMatch(/ana@|402817/);
  });

  test("a refused mail shows the position and the reason of its dead letter", async () => {
    await using rig = await openDeliveryRig(engines);
    await rig.startWorker();
    const event = welcomeEvent();
    const text = `554 5.7.1 <${event.recipient}> not today`;
    rig.sink.setBehaviour([{ at: "rcpt", does: { kind: "reply", text } }]);
    await rig.publish(event);
    await rig.untilDrained();
    const found = await getTimeline(rig, event.messageId);
    const json = JSON.stringify(timelineJson(found));
    expect(JSON.parse(json)).toMatchObject({
      state: "rejected",
      class: "refused",
      attempts: 1,
      dead_letter: { partition: 0, offset: 0, class: "rejected", event: { offset: 0 } },
    });
    expect(json).not.toContain(event.recipient);
    const lines = timelineLines(found).join("\n");
    expect(lines).toContain(`${rig.deadLetterTopic}/0/0  rejected`);
    expect(lines).toContain("Reason         recipient refused: 554 5.7.1");
  });

  test("a mail that never reached the ledger is found by its dead letter", async () => {
    await using rig = await openDeliveryRig(engines);
    await rig.startWorker();
    const value = new TextEncoder().encode('{"message_id":"broken-1"}');
    await rig.publishRecord({ key: null, value, headers: [] });
    await rig.untilDrained();
    const found = await getTimeline(rig, "broken-1");
    expect(timelineJson(found)).toMatchObject({ state: "dead_letter", class: "malformed" });
    expect(await findTimeline(depsOf(rig), "broken-2")).toBeUndefined();
  });

  test("a recipient's mails are found by the address, the newest first", async () => {
    await using rig = await openDeliveryRig(engines);
    await rig.startWorker();
    const recipient = "ana@example.com";
    const mails = [codeEvent({ recipient }), welcomeEvent({ recipient }), codeEvent()];
    for (const event of mails) await rig.publish(event);
    await rig.untilDrained();
    const [first, second] = mails;
    const found = await eventually("both were noted", async () => {
      const known = await findMailsOf(depsOf(rig), "Ana@Example.com");
      return known.length === 2 && known;
    });
    expect(found.map(({ messageId }) => messageId)).toEqual([
      second?.messageId ?? "",
      first?.messageId ?? "",
    ]);
  });

  test("a timeline can be had while the event log is unavailable", async () => {
    await using rig = await openDeliveryRig(engines);
    await rig.ledger.claim({
      messageId: "m1",
      owner: "a",
      digest: "d",
      eventType: "welcome",
      recipient: "a***@example.com",
      eventTimestamp: Date.now(),
      origin: undefined,
      traceId: undefined,
      replayCount: 0,
      leaseMs: 60_000,
      resubmit: false,
    });
    const claim = { messageId: "m1", owner: "a", fence: 1 };
    await rig.ledger.advance(claim, { kind: "rejected", class: "refused", reason: "550 no" });
    await rig.ledger.markBuried("m1", { partition: 0, offset: 3 });
    const unavailable = () => Promise.reject(new InstantError(eventLogErrors.logUnavailable));
    const found = await findTimeline({ ...rig, eventLog: unavailable }, "m1");
    const unknown = findTimeline({ ...rig, eventLog: unavailable }, "m2").catch(
      (error: unknown) => error,
    );
    expect(await unknown).toMatchObject({ code: "log_unavailable" }); // not: it is not known
    expect(found?.deadLetterProblem).toContain("event log");
    expect(found && timelineJson(found)).toMatchObject({
      state: "rejected",
      dead_letter: { offset: 3 },
    });
  });
}

describe("timelines on the embedded engines", () => {
  timelineSuite({});
});

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("timelines on Kafka and Redis", () => {
  timelineSuite({ kafka, redis });
});
