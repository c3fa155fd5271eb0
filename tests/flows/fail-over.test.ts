import { describe, expect, test } from "bun:test";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { DirectDelivery } from "../../src/email/delivery/direct.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { SinkAction, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import type { DeliveryRig } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const drop: SinkAction = { kind: "drop" };
const hang: SinkAction = { kind: "hang" };
const reply = (text: string, close = false): SinkAction => ({ kind: "reply", text, close });

/** Where the first server fails such that it certainly did not take the mail. */
const failures: readonly (readonly [SinkStage, SinkAction])[] = [
  ["connect", drop],
  ["connect", hang],
  ["connect", reply("554 5.3.2 no service", true)],
  ["ehlo", drop],
  ["ehlo", reply("550 5.7.1 not you")],
  ["mail", drop],
  ["mail", reply("421 4.3.2 shutting down", true)],
  ["mail", reply("550 5.7.1 not for this account")],
  ["rcpt", drop],
  ["rcpt", reply("421 4.7.0 too many", true)],
  ["data", drop],
  ["data", reply("451 4.3.0 no queue")],
  ["dot", reply("421 4.3.2 shutting down", true)],
  ["dot", reply("451 4.3.0 cannot write")],
];

function sinksOf({ sinks }: DeliveryRig) {
  const [first, second] = sinks;
  if (first === undefined || second === undefined) throw new Error("two sinks");
  return { first, second };
}

describe("two SMTP servers", () => {
  test.concurrent.each(failures)(
    "the first fails at %s by %j: the second takes each mail, once",
    async (at, does) => {
      await using rig = await openDeliveryRig({ moreSinks: 1 });
      const { first, second } = sinksOf(rig);
      first.misbehave({ at, does });
      await rig.startWorker();
      const events = [codeEvent(), welcomeEvent(), codeEvent()];
      for (const event of events) await rig.publish(event);
      await rig.untilDrained(20_000);
      expect([...second.countByMessageId().values()]).toEqual([1, 1, 1]);
      expect(first.acceptedTotal).toBe(0);
      expect(await rig.deadLetters()).toEqual([]);
      for (const { messageId } of events) {
        expect(await rig.ledger.find(messageId)).toMatchObject({ state: "accepted", attempts: 0 });
      }
    },
  );

  test.concurrent("an answer lost after the content moves no mail to the second", async () => {
    await using rig = await openDeliveryRig({ moreSinks: 1 });
    const { first, second } = sinksOf(rig);
    first.misbehave({ at: "dot", does: { kind: "drop", count: true } });
    await rig.startWorker();
    await rig.publish(welcomeEvent());
    await rig.untilDrained();
    expect([first.acceptedTotal, second.acceptedTotal]).toEqual([1, 0]);
    expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["ambiguous"]);
  });

  test.concurrent("a mail that the first defers or refuses stays with the first", async () => {
    await using rig = await openDeliveryRig({ moreSinks: 1 });
    const { first, second } = sinksOf(rig);
    first.misbehave({
      at: "rcpt",
      does: reply("451 4.7.1 greylisted"),
      recipient: "^slow",
      times: 1,
    });
    first.misbehave({ at: "rcpt", does: reply("550 5.1.1 unknown"), recipient: "^nobody" });
    await rig.startWorker();
    await rig.publish(codeEvent({ recipient: "slow@example.com" }));
    await rig.publish(codeEvent({ recipient: "nobody@example.com" }));
    await rig.untilDrained();
    expect([first.acceptedTotal, second.acceptedTotal]).toEqual([1, 0]);
    expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["rejected"]);
  });

  test.concurrent("mails go by the first again once it is well; when both are down delivery pauses", async () => {
    await using rig = await openDeliveryRig({ moreSinks: 1 });
    const { first, second } = sinksOf(rig);
    const worker = await rig.startWorker();
    await first.refuse();
    await rig.publish(codeEvent());
    await eventually("the second takes it", () => second.acceptedTotal === 1);
    expect(worker.pausedReasons).toEqual([]);
    expect(worker.serversDown.map(({ address }) => address)).toEqual([`127.0.0.1:${first.port}`]);
    await second.refuse();
    await rig.publish(codeEvent());
    await eventually("both are named", () => {
      const [reason = ""] = worker.pausedReasons;
      return reason.includes(String(first.port)) && reason.includes(String(second.port));
    });
    await first.listen();
    await rig.untilDrained(20_000);
    expect(first.acceptedTotal).toBe(1);
    await rig.publish(codeEvent());
    await rig.untilDrained();
    expect([first.acceptedTotal, second.acceptedTotal]).toEqual([2, 1]);
  });

  test.concurrent("the direct path goes to the second at once", async () => {
    await using rig = await openDeliveryRig({ moreSinks: 1 });
    const { first, second } = sinksOf(rig);
    await first.refuse();
    const direct = new DirectDelivery({ ...rig, clock: systemClock, log: silentLog });
    expect(await direct.deliver(codeEvent())).toBe(true);
    expect(second.acceptedTotal).toBe(1);
  });
});
