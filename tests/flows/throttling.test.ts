import { expect, test } from "bun:test";
import { codeEvent } from "../../support/events.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const mails = 200;
const perSecondMax = 14;

test("200 mails against a server that takes 14 a second are all accepted, at about that rate", async () => {
  const kinds: string[] = [];
  await using rig = await openDeliveryRig({ onOutcome: ({ kind }) => kinds.push(kind) });
  const does = { kind: "reply", text: "454 Throttling failure: Maximum sending rate exceeded." };
  rig.sink.misbehave({ at: "dot", does: { ...does, kind: "reply" }, perSecondMax });
  for (let mail = 0; mail < mails; mail += 1) {
    await rig.publish(codeEvent({ recipient: `a${mail}@example.com` }));
  }
  const startedAt = performance.now();
  await rig.startWorker();
  await rig.untilDrained(60_000);
  const seconds = (performance.now() - startedAt) / 1_000;
  expect(rig.sink.acceptedTotal).toBe(mails);
  expect([...rig.sink.countByMessageId().values()].every((count) => count === 1)).toBe(true);
  expect(kinds.filter((kind) => kind === "server_down" || kind === "dead_letter")).toEqual([]);
  expect(rig.lines.some(({ msg }) => msg === "Email deferred, will try again")).toBe(false);
  expect(seconds).toBeLessThan((mails / perSecondMax) * 1.5);
}, 90_000);
