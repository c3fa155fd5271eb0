import { expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");

const perSecond = 200;
const seconds = 2;
const pairs = 5;
const ratioMax = 1.5;

/** 5 % of the recipients are refused and 5 % deferred. */
const troubles = [
  { at: "rcpt", recipient: "^refused", does: { kind: "reply", text: "550 5.1.1 unknown" } },
  { at: "rcpt", recipient: "^deferred", does: { kind: "reply", text: "451 4.7.1 later" } },
] as const;

/** From asking to accepted, in ms: the 99th percentile of the mails that nobody refuses. */
async function measureP99(withTroubles: boolean): Promise<number> {
  await using rig = await openDeliveryRig({ kafka, redis });
  await rig.startWorker();
  if (withTroubles) rig.sink.setBehaviour(troubles);
  await rig.publish(welcomeEvent({ recipient: "first@example.com" }));
  await eventually("mails flow", () => rig.sink.acceptedTotal === 1);
  const askedAt = new Map<string, number>();
  const publishes: Promise<void>[] = [];
  const startedAt = Date.now();
  for (let count = 0; count < perSecond * seconds; count += 1) {
    const trouble = { 0: "refused", 1: "deferred" }[count % 20];
    const event = welcomeEvent(
      trouble === undefined ? {} : { recipient: `${trouble}${count}@example.com` },
    );
    if (trouble === undefined) askedAt.set(event.messageId, Date.now());
    publishes.push(rig.publish(event));
    const dueAt = startedAt + (count * 1000) / perSecond;
    if (dueAt > Date.now()) await Bun.sleep(dueAt - Date.now()); // the rate is what is tested
  }
  await Promise.all(publishes);
  const healthy = () => rig.sink.accepted.filter(({ messageId }) => askedAt.has(messageId));
  await eventually("all healthy mails are accepted", () => healthy().length === askedAt.size);
  const latencies = healthy()
    .map(({ messageId, at }) => at - (askedAt.get(messageId) ?? 0))
    .toSorted((a, b) => a - b);
  return latencies[Math.floor(latencies.length * 0.99)] ?? 0;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

test.skipIf(kafka === undefined || redis === undefined)(
  "recipients that are refused or deferred do not slow the mails of others",
  async () => {
    const ratios: number[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const without = await measureP99(false);
      const withThem = await measureP99(true);
      ratios.push(withThem / without);
      console.log(`p99 without trouble ${without} ms, with it ${withThem} ms`);
    }
    expect(median(ratios)).toBeLessThan(ratioMax);
  },
  120_000,
);
