import { describe, expect, test } from "bun:test";
import { createLog } from "../../src/core/log.ts";
import { warnOfEviction } from "../../src/core/redis/diagnose.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { hasRedisServer, openOwnRedis, openRedisAt } from "../../support/own-redis.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const complete = hasRedisServer();
const mails = () => Array.from({ length: 40 }, () => welcomeEvent());

describe.skipIf(!complete)("a ledger whose Redis has too little memory", () => {
  test("with noeviction holds delivery and says why, and sends each mail once when it has more", async () => {
    await using redis = await openOwnRedis();
    await using admin = await openRedisAt(redis.url);
    await using rig = await openDeliveryRig({ redis: redis.url });
    const worker = await rig.startWorker();
    await admin.run((client) => client.config("SET", "maxmemory", "1"));
    const events = mails();
    for (const event of events) await rig.publish(event);
    await eventually("delivery is held", () => worker.pausedReasons.length > 0);
    expect(worker.pausedReasons[0]).toContain("maxmemory");
    expect(rig.sink.acceptedTotal).toBe(0);
    await admin.run((client) => client.config("SET", "maxmemory", "0"));
    await rig.untilDrained();
    expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 1));
  });

  test("that evicts forgets what was sent: a second delivery is a second mail, and none is lost", async () => {
    await using redis = await openOwnRedis();
    await using admin = await openRedisAt(redis.url);
    await using rig = await openDeliveryRig({ redis: redis.url });
    await rig.startWorker();
    const events = mails();
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    await admin.run((client) => client.flushdb()); // what an eviction does to each of them
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 2));
  });

  test("that may evict is warned of when it is opened", async () => {
    await using redis = await openOwnRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
    await using client = await openRedisAt(redis.url);
    const lines: string[] = [];
    const write = (line: string) => lines.push(line);
    await warnOfEviction(client, createLog({ service: "test", level: "info", write }));
    expect(lines.join("")).toContain('"policy":"allkeys-lru"');
    await client.run((each) => each.config("SET", "maxmemory-policy", "noeviction"));
    await warnOfEviction(client, createLog({ service: "test", level: "info", write }));
    expect(lines).toHaveLength(1);
  });
});
