import { expect, test } from "bun:test";
import { createHttpApp } from "../../src/core/http/app.ts";
import { createLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { encodeEmailEvent } from "../../src/email/event.ts";
import { ledgerTtlMs } from "../../src/email/ledger/delivery-ledger.ts";
import { addDeadLetterRoutes, ReplayJob } from "../../src/email/ops/dead-letter-routes.tsx";
import { previewValue } from "../../src/email/ops/dead-letters-page.tsx";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("an event shows its id, type and times; code and address are masked", () => {
  const event = codeEvent({ recipient: "ana@example.com" });
  const shown = previewValue(encodeEmailEvent(event));
  expect(JSON.parse(shown)).toMatchObject({
    message_id: event.messageId,
    event_type: "verification_code",
    recipient: "a***@example.com",
    data: { code: "•••", expires_in: "10m" },
  });
});

test.each([
  ["numbers", '{"data":{"code":402817}}'],
  ["lists", '{"data":[["402817"]]}'],
  [
    "fields we do not know",
    '{"token":"402817","nested":{"deep":{"er":{"still":{"on":"402817"}}}}}',
  ],
  ["an address in a place for an id", '{"message_id":"write to ana@example.com"}'],
  ["what is no JSON", 'ana@example.com {"code":"402817"'],
  ["a bare text", '"402817"'],
])("%s show nothing secret", (_, text) => {
  expect(previewValue(bytes(text))).not.toMatch(/402817|ana@/);
});

test("what is no JSON shows its outline, and no value says so", () => {
  expect(previewValue(bytes("code: 123\u0000"))).toBe("10 bytes, not JSON: xxxx: 000 ");
  expect(previewValue(null)).toBe("(no value)");
  expect(previewValue(bytes(`[${"1,".repeat(9000)}1]`)).length).toBeLessThanOrEqual(2000);
});

test("the replay form takes dead letters too old for the ledger only where its box is checked", async () => {
  await using rig = await openDeliveryRig();
  await rig.startWorker();
  await rig.publish(welcomeEvent({ timestamp: Date.now() - ledgerTtlMs }));
  await rig.untilDrained();
  const { eventLog, ledger, deadLetterTopic, eventsTopic } = rig;
  const replays = { eventLog, ledger, clock: systemClock, deadLetterTopic, eventsTopic };
  const log = createLog({ service: "t", level: "error" });
  const app = createHttpApp({ log });
  const site = { appName: "Acme", hasInbox: false, hasLogin: false };
  addDeadLetterRoutes(app, { site, replays, replay: new ReplayJob(replays, log) });
  const page = await (await app.request("/dead-letters")).text();
  const [, box = "none"] = /<input type="checkbox" name="(\w+)" value="yes"/.exec(page) ?? [];
  const plan = async (fields: Record<string, string>) => {
    const body = new URLSearchParams({ class: "all", ...fields });
    return (await app.request("/dead-letters/plan", { method: "POST", body })).text();
  };
  const unchecked = await plan({});
  expect(unchecked).toContain("Nothing to replay");
  expect(unchecked).toContain("1 too old for the ledger");
  expect(await plan({ [box]: "yes" })).toContain("1 dead letter would be replayed");
});
