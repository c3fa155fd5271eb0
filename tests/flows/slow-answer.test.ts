import { describe, expect, test } from "bun:test";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

/** As 15 s, and 45 s in submitting. */
const lease = { leaseMs: 300, finalReplyTimeoutMs: 20_000 };
const slow = { at: "dot", does: { kind: "delay", ms: 3_000 } } as const;

describe("A server that answers the final dot long after the lease", () => {
  test("has each mail once: its owner renews the lease and waits", async () => {
    await using rig = await openDeliveryRig(lease);
    await rig.startWorker();
    rig.sink.setBehaviour([slow]);
    const events = [codeEvent(), welcomeEvent()];
    for (const event of events) await rig.publish(event);
    await rig.sink.reaches("dot");
    await rig.startWorker({ group: `${rig.group}-2` }); // who would take it over
    await rig.untilDrained();
    await rig.untilDrained(undefined, `${rig.group}-2`);
    for (const { messageId } of events) {
      expect(rig.sink.countByMessageId().get(messageId)).toBe(1);
      const record = await rig.ledger.find(messageId);
      expect(record?.history.map(({ state }) => state)).toEqual([
        "claimed",
        "submitting",
        "accepted",
      ]);
    }
    expect(await rig.deadLetters()).toEqual([]);
  });

  test("is not sent a code again whose time ran out while the answer was lost", async () => {
    await using rig = await openDeliveryRig({ ...lease, finalReplyTimeoutMs: 2_500 });
    await rig.startWorker();
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "hang", count: true } }]);
    const event = codeEvent({ timestamp: Date.now() - 598_500 });
    await rig.publish(event);
    await rig.untilDrained();
    expect(rig.sink.countByMessageId().get(event.messageId)).toBe(1);
    await eventually("it is a dead letter", async () => (await rig.deadLetters()).length === 1);
  });

  test("does not keep a closing mailer: the mail is ambiguous", async () => {
    await using rig = await openDeliveryRig(lease);
    rig.sink.setBehaviour([{ at: "dot", does: { kind: "hang" } }]);
    const reached = rig.sink.reaches("dot");
    const message = { messageId: "m1", to: "a@example.com", subject: "s", text: "t", html: "h" };
    const sending = rig.mailer.send(message, { beforeContentEnds: async () => true });
    await reached;
    await rig.mailer.close();
    expect(await sending).toMatchObject({ kind: "ambiguous" });
  });
});
