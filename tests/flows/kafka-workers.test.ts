import { describe, expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { findSubmitting, openServiceRig, sentTwice } from "../../support/service-rig.ts";

const program = findEngine("instant") ?? "";
const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const complete = kafka !== "" && redis !== "" && program !== "";

/** Codes that live for an hour. */
function hourCodes(count: number): EmailEvent[] {
  return Array.from({ length: count }, () => {
    const event = codeEvent();
    const data = { code: "402817", expires_in: "1h" };
    return {
      ...event,
      eventType: "verification_code",
      data,
      expiresAt: event.timestamp + 3_600_000,
    };
  });
}

describe.skipIf(!complete)("serve-email killed with SIGKILL", () => {
  test("during 10,000 codes: each is accepted, and none twice but those in `submitting`", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const events = hourCodes(10_000);
    await rig.publish(events);
    const first = rig.start(["serve-email"]);
    await eventually("half are sent", () => rig.sink.acceptedTotal > 5000, 60_000);
    await first.stop("SIGKILL");
    const submitting = await findSubmitting(rig.ledger, events);
    rig.start(["serve-email"]);
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().size).toBe(events.length);
    const twice = sentTwice(rig.sink);
    expect(twice.filter((id) => !submitting.has(id))).toEqual([]);
    expect(twice.filter((id) => (rig.sink.countByMessageId().get(id) ?? 0) > 2)).toEqual([]);
  }, 120_000);
});

describe.skipIf(!complete)("several serve-email processes of one group", () => {
  test("send each mail once while one joins and one leaves", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const events = hourCodes(3000);
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: 20 } }]);
    const [first] = [rig.start(["serve-email"]), rig.start(["serve-email"])];
    await rig.publish(events);
    await eventually("mails flow", () => rig.sink.acceptedTotal > 300, 60_000);
    rig.start(["serve-email"]);
    await eventually("more flow", () => rig.sink.acceptedTotal > 1000, 60_000);
    expect(await first?.stop("SIGTERM")).toBe(0);
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().size).toBe(events.length);
    expect(sentTwice(rig.sink)).toEqual([]);
  }, 120_000);

  test("lose nothing and send nothing twice when all three are restarted one after the other", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const events = hourCodes(3000);
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: 20 } }]);
    const running = [1, 2, 3].map(() => rig.start(["serve-email"]));
    for (const [round, old] of running.entries()) {
      await rig.publish(events.slice(round * 1000, (round + 1) * 1000));
      const before = rig.sink.acceptedTotal;
      await eventually("mails flow", () => rig.sink.acceptedTotal > before + 200, 60_000);
      expect(await old.stop("SIGTERM")).toBe(0);
      rig.start(["serve-email"]);
    }
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().size).toBe(events.length);
    expect(sentTwice(rig.sink)).toEqual([]);
  }, 120_000);
});
