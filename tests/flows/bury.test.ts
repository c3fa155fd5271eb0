import { expect, test } from "bun:test";
import { InstantError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { EmailWorker } from "../../src/email/delivery/worker.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { eventLogErrors } from "../../src/email/event-log/event-log.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { DeliveryRig } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

/** The rig's log, but the dead-letter topic acknowledges nothing while `refuses` says so. */
function withDeafDeadLetters(rig: DeliveryRig, refuses: () => boolean): EventLog {
  const { eventLog, deadLetterTopic } = rig;
  return {
    ...eventLog,
    publish: (topic, records, options) => {
      if (topic !== deadLetterTopic || !refuses()) return eventLog.publish(topic, records, options);
      return Promise.reject(new InstantError(eventLogErrors.logUnavailable));
    },
  };
}

test("a dead letter that is not acknowledged holds its record back, and is written once it can be", async () => {
  await using rig = await openDeliveryRig();
  let refused = 0;
  let isDeaf = true;
  const worker = new EmailWorker({
    ...rig,
    eventLog: withDeafDeadLetters(rig, () => {
      if (isDeaf) refused += 1;
      return isDeaf;
    }),
    pendingOutcomes: { count: 0, onPending: () => {} },
    clock: systemClock,
    log: silentLog,
    settings: {
      eventsTopic: rig.eventsTopic,
      deadLetterTopic: rig.deadLetterTopic,
      group: rig.group,
      drainMs: 1000,
      poisonMax: 0,
    },
    onFailed: (error) => {
      throw error;
    },
  });
  await worker.start();
  rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text: "550 5.1.1 unknown" } });
  await rig.publish(welcomeEvent());
  await eventually("it was refused twice", () => refused >= 2);
  const uncommitted = await rig.eventLog.lag(rig.eventsTopic, rig.group);
  expect(uncommitted.reduce((sum, { records }) => sum + records, 0)).toBe(1);
  isDeaf = false;
  await rig.untilDrained();
  expect((await rig.deadLetters()).map(({ facts }) => facts.class)).toEqual(["rejected"]);
  await worker.stop();
});
