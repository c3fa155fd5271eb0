import { expect, test } from "bun:test";
import { Metrics } from "../../src/core/metrics.ts";
import { systemClock } from "../../src/core/time.ts";
import { createWorkerMetrics } from "../../src/email/delivery/metrics.ts";
import type { EmailWorker } from "../../src/email/delivery/worker.ts";
import { LagReader } from "../../src/email/event-log/lag-reader.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

test("the metrics count outcomes and dead letters, and show what delivery waits for and the lag", async () => {
  const metrics = new Metrics();
  let worker: EmailWorker | undefined;
  const measures = createWorkerMetrics({
    metrics,
    clock: systemClock,
    worker: () => worker,
    lag: { read: () => lag.read() },
  });
  await using rig = await openDeliveryRig(measures);
  const { eventLog, eventsTopic: topic, group } = rig;
  const lag = new LagReader({ eventLog, topic, group, clock: systemClock });
  worker = await rig.startWorker();
  const linesOf = async () => (await metrics.render()).split("\n");
  rig.sink.setBehaviour([
    { at: "rcpt", recipient: "^bad@", does: { kind: "reply", text: "550 5.1.1 unknown" } },
    { at: "dot", recipient: "^lost@", does: { kind: "drop" } },
  ]);
  for (const name of ["good", "bad", "lost"]) {
    await rig.publish(welcomeEvent({ recipient: `${name}@example.com` }));
  }
  await rig.untilDrained();
  expect(await linesOf()).toEqual(
    expect.arrayContaining([
      'instant_email_outcomes_total{outcome="accepted"} 1',
      'instant_email_dead_letters_total{class="rejected"} 1',
      'instant_email_dead_letters_total{class="ambiguous"} 1',
      "instant_email_ambiguous_total 1",
      'instant_email_accepted_after_seconds_count{event_type="welcome"} 1',
      'instant_email_paused{part="smtp"} 0',
      'instant_email_connected{engine="ledger"} 1',
      "instant_email_pending_outcomes 0",
      'instant_email_lag_records{partition="0"} 0',
      'instant_email_lag_seconds{partition="0"} 0',
    ]),
  );
  await rig.sink.refuse();
  await rig.publish(welcomeEvent());
  await eventually("the metrics show that delivery waits", async () =>
    (await linesOf()).includes('instant_email_paused{part="smtp"} 1'),
  );
  expect(await linesOf()).toContain(
    `instant_email_server_down{cause="connect",server="127.0.0.1:${rig.sink.port}"} 1`,
  );
  expect((await linesOf()).some((line) => /lag_records\{partition="\d"\} 1/.test(line))).toBe(true);
});
