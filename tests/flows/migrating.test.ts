import { describe, expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { decodeEmailEvent } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openRedisAt } from "../../support/own-redis.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { openServiceRig } from "../../support/service-rig.ts";

const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const program = findEngine("instant") ?? "";
const complete = [kafka, redis, program].every((address) => address !== "");

/** The forms in which the older service may have said that a mail was sent. */
const forms: readonly ((event: EmailEvent) => string)[] = [
  ({ messageId, recipient }) =>
    JSON.stringify({ message_id: messageId, recipient, sent_at: new Date().toISOString() }),
  ({ eventType }) =>
    JSON.stringify({ event_type: eventType, sent_at: Math.floor(Date.now() / 1000) }),
  () => "sent",
];

async function markSent(events: readonly EmailEvent[]): Promise<void> {
  await using client = await openRedisAt(redis);
  for (const [index, event] of events.entries()) {
    const text = forms[index % forms.length]?.(event) ?? "";
    await client.run((each) => each.set(`email:sent:${event.messageId}`, text, "EX", 86_400));
  }
}

/** The older service in the same group: it finishes these events, commits, and is stopped. */
async function finishInGroup(rig: ServiceRig, events: readonly EmailEvent[]): Promise<void> {
  const wanted = new Set(events.map(({ messageId }) => messageId));
  const subscription = await rig.eventLog.subscribe({
    topic: rig.eventsTopic,
    group: rig.group,
    handle: async (record) => {
      const decoded = decodeEmailEvent(record.value);
      if (decoded.kind === "event") wanted.delete(decoded.event.messageId);
    },
  });
  await eventually("the older service has finished its part", () => wanted.size === 0);
  await subscription.stop({ drainMs: 5_000 });
}

function someEvents(count: number): EmailEvent[] {
  return Array.from({ length: count }, (_, index) =>
    welcomeEvent({ recipient: `m${index}-${crypto.randomUUID()}@example.com` }),
  );
}

describe.skipIf(!complete)("after the older service, on its topics and its keys", () => {
  test("what it had committed or recorded is not sent again, and all else is, once", async () => {
    await using rig = await openServiceRig({ program, kafka, redis });
    const [committed, recorded, open] = [someEvents(12), someEvents(9), someEvents(15)];
    await rig.publish(committed);
    await finishInGroup(rig, committed);
    await rig.publish([...recorded, ...open]);
    await markSent(recorded);
    const worker = rig.start(["serve-email"]);
    await rig.untilDrained();
    const sent = rig.sink.accepted.map(({ to }) => to[0] ?? "");
    expect(sent.toSorted()).toEqual(open.map(({ recipient }) => recipient).toSorted());
    const duplicates = worker.findLogs("Duplicate email event detected, skipping");
    expect(new Set(duplicates.map((line) => line["messageID"]))).toEqual(
      new Set(recorded.map(({ messageId }) => messageId)),
    );
  });
});
