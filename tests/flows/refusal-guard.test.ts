import { describe, expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

/** The server is tried again; once it is well, each mail is sent once and none was spent. */
async function expectRecovery(
  rig: Awaited<ReturnType<typeof openDeliveryRig>>,
  at: "rcpt" | "data" | "dot",
  events: readonly EmailEvent[],
): Promise<void> {
  const before = rig.sink.reachedTotal[at];
  await eventually("a trial is made", () => rig.sink.reachedTotal[at] > before, 8000);
  rig.sink.setBehaviour([]);
  await rig.untilDrained(20_000);
  expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 1));
  expect(await rig.deadLetters()).toEqual([]);
  for (const { messageId } of events) {
    expect(await rig.ledger.find(messageId)).toMatchObject({ state: "accepted", attempts: 0 });
  }
}

const denied = { kind: "reply", text: "554 5.7.1 denied" } as const;

describe("a server that refuses everybody", () => {
  test.concurrent.each([
    ["rcpt", "554 5.7.1 denied", (n: number) => `p${n}@example.com`],
    ["rcpt", "550 5.1.1 user unknown", (n: number) => `p${n}@d${n}.example.com`],
    ["dot", "554 5.7.1 denied", (n: number) => `p${n}@example.com`],
  ] as const)(
    "at %s with %s pauses delivery and buries nobody; then all are sent once",
    async (at, text, recipientOf) => {
      await using rig = await openDeliveryRig({ refusalsMax: 10 });
      const worker = await rig.startWorker();
      rig.sink.misbehave({ at, does: { kind: "reply", text } });
      const events = Array.from({ length: 30 }, (_, n) => codeEvent({ recipient: recipientOf(n) }));
      for (const event of events) await rig.publish(event);
      await eventually("delivery pauses", () =>
        worker.pausedReasons[0]?.includes("refuses every mail"),
      );
      expect(worker.pausedReasons[0]).toContain(text.slice(4));
      await expectRecovery(rig, at, events);
    },
  );

  test.concurrent("one bad address on a quiet system is believed within seconds", async () => {
    await using rig = await openDeliveryRig({ refusalsMax: 10 });
    await rig.startWorker();
    rig.sink.misbehave({ at: "rcpt", does: denied });
    const event = welcomeEvent();
    await rig.publish(event);
    await rig.untilDrained(15_000);
    expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["rejected"]);
  });

  test.concurrent("bad addresses among good ones are believed with the next acceptance", async () => {
    await using rig = await openDeliveryRig({ refusalsMax: 5 });
    const worker = await rig.startWorker();
    rig.sink.misbehave({ at: "rcpt", does: denied, recipient: "^bad" });
    for (let n = 0; n < 12; n += 1) {
      await rig.publish(welcomeEvent({ recipient: `bad${n}@example.com` }));
      await rig.publish(welcomeEvent({ recipient: `good${n}@example.com` }));
    }
    await rig.untilDrained(20_000);
    expect((await rig.deadLetters()).length).toBe(12);
    expect(rig.sink.acceptedTotal).toBe(12);
    expect(worker.pausedReasons).toEqual([]);
  });

  test.concurrent("one domain that refuses all its recipients stops nobody else", async () => {
    await using rig = await openDeliveryRig({ refusalsMax: 5 });
    const worker = await rig.startWorker();
    rig.sink.misbehave({ at: "rcpt", does: denied, recipient: "@dead" });
    for (let n = 0; n < 8; n += 1) {
      await rig.publish(welcomeEvent({ recipient: `p${n}@dead.example.com` }));
    }
    await eventually("delivery pauses", () => worker.pausedReasons.length > 0);
    await rig.publish(codeEvent({ recipient: "ana@alive.example.com" }));
    await eventually("the other domain's mail is sent", () => rig.sink.acceptedTotal === 1, 8000);
    await rig.untilDrained(30_000);
    expect((await rig.deadLetters()).length).toBe(8);
    expect(rig.sink.acceptedTotal).toBe(1);
  });

  test.concurrent("is passed over where another one takes the mails", async () => {
    await using rig = await openDeliveryRig({ refusalsMax: 5, moreSinks: 1 });
    const worker = await rig.startWorker();
    rig.sink.misbehave({ at: "rcpt", does: denied });
    const events = Array.from({ length: 20 }, () => codeEvent());
    for (const event of events) await rig.publish(event);
    await rig.untilDrained(20_000);
    expect([...(rig.sinks[1]?.countByMessageId().values() ?? [])]).toEqual(events.map(() => 1));
    expect(await rig.deadLetters()).toEqual([]);
    expect(worker.pausedReasons).toEqual([]);
  });
});

describe("a reply that blames the account", () => {
  test.concurrent.each([
    ["rcpt", "554 5.7.1 <a@b.example>: Relay access denied", "does not relay for us"],
    ["rcpt", "535 5.7.8 bad login", "SMTP_USER and SMTP_PASSWORD"],
    ["data", "530 5.7.0 Authentication required", "SMTP_USER and SMTP_PASSWORD"],
    ["dot", "554 5.2.252 SendAsDenied", "SMTP_FROM"],
    ["dot", "550 5.4.5 Daily user sending limit exceeded", "quota"],
  ] as const)(
    "to everybody, at %s, %s pauses delivery and spends nothing",
    async (at, text, why) => {
      await using rig = await openDeliveryRig({ refusalsMax: 10 });
      const worker = await rig.startWorker();
      rig.sink.misbehave({ at, does: { kind: "reply", text } });
      const events = Array.from({ length: 30 }, (_, n) =>
        codeEvent({ recipient: `p${n}@d${n % 7}.example.com` }),
      );
      for (const event of events) await rig.publish(event);
      await eventually("delivery pauses", () => worker.pausedReasons[0]?.includes(why));
      await expectRecovery(rig, at, events);
    },
  );

  test.concurrent("to one recipient only, while others are accepted, is about that one", async () => {
    await using rig = await openDeliveryRig({ refusalsMax: 10 });
    const worker = await rig.startWorker();
    const text = "554 5.7.1 <a@b.example>: Relay access denied";
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text }, recipient: "^bad" });
    await rig.publish(welcomeEvent({ recipient: "bad@other.example.com" }));
    let published = 0;
    await eventually(
      "the bad one is believed",
      async () => {
        if (rig.sink.acceptedTotal === published) {
          published += 1;
          await rig.publish(welcomeEvent({ recipient: `good${published}@example.com` }));
        }
        return (await rig.deadLetters()).length > 0;
      },
      25_000,
    );
    expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["rejected"]);
    await rig.untilDrained(8000);
    expect(rig.sink.acceptedTotal).toBe(published);
    expect([...(await rig.suppressions.find(["bad@other.example.com"]))]).toEqual([]);
    await eventually("delivery goes on", () => worker.pausedReasons.length === 0);
  });

  test.concurrent.each([
    ["one domain", (n: number) => `p${n}@dead.example.com`, "ana@alive.example.com", 8],
    ["one recipient of a domain", () => "dead@example.com", "ana@example.com", 1],
  ] as const)(
    "to %s, while another is accepted, is about that one, and nobody else waits for long",
    async (_what, deadOf, alive, dead) => {
      await using rig = await openDeliveryRig({ refusalsMax: 10 });
      const worker = await rig.startWorker();
      const text = "550 relay not permitted";
      rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text }, recipient: "dead" });
      for (let n = 0; n < dead; n += 1) await rig.publish(welcomeEvent({ recipient: deadOf(n) }));
      await eventually("delivery pauses", () => worker.pausedReasons.length > 0);
      await rig.publish(codeEvent({ recipient: alive }));
      await rig.untilDrained(20_000);
      expect(rig.sink.acceptedTotal).toBe(1);
      const classes = (await rig.deadLetters()).map(({ facts }) => facts.class);
      expect(classes).toEqual(Array(dead).fill("rejected"));
      expect(worker.pausedReasons).toEqual([]);
    },
  );
});
