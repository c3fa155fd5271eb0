import { describe, expect, test } from "bun:test";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { DirectDelivery } from "../../src/email/delivery/publisher.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { SinkAction, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import type { DeliveryRig } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");

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

  test.concurrent("a reply lost after the content moves no mail to the second", async () => {
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

  test.concurrent("the first takes mails again once it is back; when both are down, delivery pauses", async () => {
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
    expect(await direct.deliver(codeEvent())).toBe("delivered");
    expect(second.acceptedTotal).toBe(1);
  });
});

/** 5 % of the recipients are refused and 5 % deferred. */
const troubles = [
  { at: "rcpt", recipient: "^refused", does: { kind: "reply", text: "550 5.1.1 unknown" } },
  { at: "rcpt", recipient: "^deferred", does: { kind: "reply", text: "451 4.7.1 later" } },
] as const;

const perSecond = 200;
const periodMails = 100;

/**
 * From publishing to accepted, in ms, of the mails that nobody refuses: the 90th percentile of one
 * period.
 */
async function measurePeriod(rig: DeliveryRig, withTroubles: boolean): Promise<number> {
  rig.sink.setBehaviour(withTroubles ? troubles : []);
  const publishedAt = new Map<string, number>();
  const publishes: Promise<void>[] = [];
  const startedAt = Date.now();
  for (let count = 0; count < periodMails; count += 1) {
    const trouble = { 0: "refused", 1: "deferred" }[count % 20];
    const recipient = `${trouble ?? "person"}-${crypto.randomUUID()}@example.com`;
    const event = welcomeEvent({ recipient });
    if (trouble === undefined) publishedAt.set(event.messageId, Date.now());
    publishes.push(rig.publish(event));
    const dueAt = startedAt + (count * 1000) / perSecond;
    if (dueAt > Date.now()) await Bun.sleep(dueAt - Date.now()); // the rate is what is tested
  }
  await Promise.all(publishes);
  const healthy = () => rig.sink.accepted.filter(({ messageId }) => publishedAt.has(messageId));
  await eventually("all healthy mails are accepted", () => healthy().length === publishedAt.size);
  const latencies = healthy()
    .map(({ messageId, at }) => at - (publishedAt.get(messageId) ?? 0))
    .toSorted((a, b) => a - b);
  return latencies[Math.floor(latencies.length * 0.9)] ?? 0;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

test.skipIf(kafka === undefined || redis === undefined)(
  "recipients that are refused or deferred do not slow the mails of others",
  async () => {
    await using rig = await openDeliveryRig({ kafka, redis });
    await rig.startWorker();
    await measurePeriod(rig, true); // until the code is warm
    const [without, withThem]: [number[], number[]] = [[], []];
    // By turns, so that what else the machine does meets both alike.
    for (let pair = 0; pair < 9; pair += 1) {
      without.push(await measurePeriod(rig, false));
      withThem.push(await measurePeriod(rig, true));
    }
    console.log(`p90 without trouble ${median(without)} ms, with it ${median(withThem)} ms`);
    expect(median(withThem) / median(without)).toBeLessThan(1.5);
  },
  120_000,
);
