import { describe, expect, test } from "bun:test";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { hasRedisServer, openOwnRedis, openRedisAt } from "../../support/own-redis.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const poison = { key: null, value: new TextEncoder().encode("{"), headers: [] };

describe("delivery pauses as a whole", () => {
  test("while a server defers one mail after the other, and goes on when it takes them", async () => {
    await using rig = await openDeliveryRig();
    const worker = await rig.startWorker();
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text: "451 4.7.1 busy" } });
    const events = Array.from({ length: 12 }, () => codeEvent());
    for (const event of events) await rig.publish(event);
    await eventually("the worker pauses", () => worker.pausedReasons.length > 0);
    expect(worker.pausedReasons[0]).toContain("defers every mail");
    rig.sink.setBehaviour([]);
    await rig.untilDrained();
    expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 1));
    expect(await rig.deadLetters()).toEqual([]);
  });

  test("not because one recipient is deferred again and again", async () => {
    await using rig = await openDeliveryRig();
    const worker = await rig.startWorker();
    const does = { kind: "reply", text: "451 4.7.1 busy" } as const;
    rig.sink.misbehave({ at: "rcpt", does, recipient: "^slow@" });
    await rig.publish(codeEvent({ recipient: "slow@example.com" }));
    const others = Array.from({ length: 30 }, () => welcomeEvent());
    for (const event of others) await rig.publish(event);
    await eventually("the others are sent", () => rig.sink.acceptedTotal === others.length);
    expect(rig.lines.filter(({ msg }) => msg === "Delivery paused")).toEqual([]);
    expect(worker.pausedReasons).toEqual([]);
  });

  test("when most records are poison: few are buried, the rest waits for a person", async () => {
    await using rig = await openDeliveryRig({ poisonMax: 5 });
    const worker = await rig.startWorker();
    for (let count = 0; count < 40; count += 1) await rig.publishRecord(poison);
    await eventually("the worker pauses", () => worker.pausedReasons.length > 0);
    expect(worker.pausedReasons[0]).toContain("EMAIL_POISON_GUARD=0");
    await worker.stop();
    expect((await rig.deadLetters()).length).toBeLessThanOrEqual(5);
    const lag = await rig.eventLog.lag(rig.eventsTopic, rig.group);
    expect(lag.reduce((sum, { records }) => sum + records, 0)).toBeGreaterThan(30);
  });

  test.skipIf(!hasRedisServer())(
    "for a Redis that is unavailable, also while no mail comes",
    async () => {
      await using redis = await openOwnRedis();
      await using rig = await openDeliveryRig({ redis: redis.url });
      const worker = await rig.startWorker();
      await redis.stop();
      await eventually("the worker says so", () =>
        worker.pausedReasons[0]?.startsWith("Redis is not connected: start it"),
      );
      await redis.start();
      await eventually("nothing pauses it", () => worker.pausedReasons.length === 0);
    },
  );

  test.skipIf(!hasRedisServer())(
    "by outcomes that a full Redis does not take, when no mail is left to ask it",
    async () => {
      await using redis = await openOwnRedis();
      await using admin = await openRedisAt(redis.url);
      await using rig = await openDeliveryRig({ redis: redis.url, replyTimeoutMs: 5000 });
      rig.sink.misbehave({ at: "dot", does: { kind: "delay", ms: 500 } });
      const worker = await rig.startWorker();
      const events = Array.from({ length: 20 }, () => welcomeEvent()); // as many as may run at once
      for (const event of events) await rig.publish(event);
      await eventually("all connections wait", () => rig.sink.reachedTotal.dot === 10);
      await admin.run((client) => client.config("SET", "maxmemory", "1"));
      await eventually("the worker pauses", () => worker.pausedReasons[0]?.includes("maxmemory"));
      expect(worker.paused).toMatchObject({ ledger: true });
      await admin.run((client) => client.config("SET", "maxmemory", "0"));
      await rig.untilDrained();
      expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 1));
      await eventually("nothing pauses it", () => worker.pausedReasons.length === 0);
    },
  );

  test("not by poison among good mails", async () => {
    await using rig = await openDeliveryRig({ poisonMax: 5 });
    await rig.startWorker();
    for (let count = 0; count < 5; count += 1) {
      await rig.publishRecord(poison);
      await rig.publish(welcomeEvent());
    }
    await rig.untilDrained();
    expect((await rig.deadLetters()).length).toBe(5);
    expect(rig.sink.acceptedTotal).toBe(5);
  });
});
