import { expect, test } from "bun:test";
import { createHttpApp } from "../../src/core/http/app.ts";
import { createLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { ledgerTtlMs } from "../../src/email/ledger/delivery-ledger.ts";
import { addDeadLetterRoutes } from "../../src/email/ops/dead-letter-routes.ts";
import { ReplayJob } from "../../src/email/ops/replay.tsx";
import { welcomeEvent } from "../../support/events.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

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
  expect(await plan({})).toContain("Nothing to replay");
  expect(await plan({ [box]: "yes" })).toContain("1 dead letter would be replayed");
});
