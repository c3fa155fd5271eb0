import { expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");
const hourMs = 3_600_000;

test.skipIf(kafka === undefined || redis === undefined)(
  "another KAFKA_CONSUMER_GROUP on a topic with a day of sent mail sends nothing again",
  async () => {
    const ends: string[] = [];
    await using rig = await openDeliveryRig({ kafka, redis, onEnd: (kind) => ends.push(kind) });
    await rig.startWorker();
    const events = Array.from({ length: 230 }, (_, index) =>
      index % 2 === 0
        ? welcomeEvent({ timestamp: Date.now() - (index / 10) * hourMs })
        : codeEvent(),
    );
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    expect(rig.sink.acceptedTotal).toBe(events.length);
    await rig.startWorker({ group: "email-service-group-1" });
    await rig.untilDrained(15_000, "email-service-group-1");
    expect(rig.sink.acceptedTotal).toBe(events.length);
    expect(ends.filter((kind) => kind === "duplicate")).toHaveLength(events.length);
    expect(await rig.deadLetters()).toEqual([]);
  },
);
