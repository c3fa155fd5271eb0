import { describe, expect, test } from "bun:test";
import { recipientKey } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");
const postgres = findEngine("postgres");
const missing = kafka === undefined || redis === undefined || postgres === undefined;

async function openRigBehindProxy() {
  const stack = new AsyncDisposableStack();
  const url = new URL(postgres ?? "");
  const proxy = stack.use(new StallableProxy(url.host));
  url.host = `127.0.0.1:${proxy.port}`;
  const rig = stack.use(await openDeliveryRig({ kafka, redis, postgres: url.href }));
  return { rig, proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(missing)("mails while Postgres is away", () => {
  test.each([
    ["gone", (proxy: StallableProxy) => proxy.cut()],
    ["frozen", (proxy: StallableProxy) => proxy.stall()],
  ])("(%s): codes go, optional mails wait and go when it is back", async (_name, leave) => {
    await using opened = await openRigBehindProxy();
    const { rig, proxy } = opened;
    await rig.startWorker();
    const declinedBefore = "ben@example.com";
    await rig.preferences.change(recipientKey(declinedBefore), { welcome: false });
    leave(proxy);
    const waiting = [welcomeEvent(), welcomeEvent({ recipient: declinedBefore }), welcomeEvent()];
    const codes = Array.from({ length: 20 }, () => codeEvent());
    for (const event of [...waiting, ...codes]) await rig.publish(event);
    await eventually("the codes are sent", () => rig.sink.acceptedTotal === codes.length, 10_000);
    const waits = () => rig.lines.some(({ msg }) => msg.startsWith("Preferences unavailable"));
    await eventually("it is said", waits);
    proxy.resume();
    await rig.untilDrained(20_000);
    const counts = rig.sink.countByMessageId();
    expect(waiting.map(({ messageId }) => counts.get(messageId) ?? 0)).toEqual([1, 0, 1]);
    expect(await rig.deadLetters()).toEqual([]);
  });
});
