import { describe, expect, test } from "bun:test";
import type { RedisClient } from "../../src/core/redis/client.ts";
import type { RedisScript } from "../../src/core/redis/scripts.ts";
import type { Clock } from "../../src/core/time.ts";
import { systemClock } from "../../src/core/time.ts";
import { openRedisDeliveryLedger, writeScript } from "../../src/email/ledger/redis.ts";
import { choosePort } from "../../support/engines/server.ts";
import { eventually } from "../../support/eventually.ts";
import { hasRedisServer, openOwnRedis, openRedisAt } from "../../support/own-redis.ts";
import { changes } from "../contract/delivery-ledger-store.ts";

const request = (messageId: string, owner = "a") => ({
  messageId,
  owner,
  digest: "digest",
  eventType: "welcome",
  recipient: "a***@example.com",
  eventTimestamp: Date.now(),
  origin: undefined,
  replayCount: 0,
  leaseMs: 15_000,
  resubmit: false,
});
const claimOf = (messageId: string) => ({ messageId, owner: "a", fence: 1 });
const submitting = { kind: "submitting", leaseMs: 45_000 } as const;

async function failure(work: Promise<unknown>): Promise<{ code: unknown; afterMs: number }> {
  const startedAt = performance.now();
  const error: unknown = await work.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  const code = error instanceof Error && "code" in error ? error.code : error;
  return { code, afterMs: performance.now() - startedAt };
}

describe.if(hasRedisServer())("DeliveryLedger on a Redis of its own", () => {
  test("the guide's GET, TTL and KEYS show the record and nothing else", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await ledger.claim(request("mail-1"));
    expect(await ledger.count()).toBe(1);
    const keys = await redis.run((client) => client.keys("email:sent:*"));
    expect(keys).toEqual(["email:sent:mail-1"]);
    expect(await redis.run((client) => client.type("email:sent:mail-1"))).toBe("string");
    const text = await redis.run((client) => client.get("email:sent:mail-1"));
    expect(JSON.parse(text ?? "")).toMatchObject({ state: "claimed", event_type: "welcome" });
    const seconds = await redis.run((client) => client.ttl("email:sent:mail-1"));
    expect(seconds).toBeGreaterThan(86_390);
    expect(seconds).toBeLessThanOrEqual(86_400);
  });

  test("the usual way of a mail is one command a call, and SCRIPT FLUSH does not stop it", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const counted = countScripts(redis);
    const ledger = openRedisDeliveryLedger({ redis: counted.client });
    for (const messageId of ["mail-1", "mail-2"]) {
      await ledger.claim(request(messageId));
      await redis.run((client) => client.script("FLUSH"));
      await ledger.advance(claimOf(messageId), submitting);
      expect(await ledger.advance(claimOf(messageId), changes.accepted)).toEqual({ kind: "done" });
    }
    expect(counted.calls).toHaveLength(6);
  });

  test("killed in the middle: unavailable within 2.5 s, and it goes on when Redis available again", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await ledger.claim(request("mail-1"));
    await ledger.advance(claimOf("mail-1"), submitting);
    await own.kill();
    const failed = await failure(ledger.advance(claimOf("mail-1"), changes.accepted));
    expect(failed.code).toBe("ledger_unavailable");
    expect(failed.afterMs).toBeLessThan(2500);
    await eventually("disconnected", () => ledger.connection === "disconnected");
    expect((await failure(ledger.claim(request("mail-2")))).code).toBe("ledger_unavailable");
    expect((await failure(ledger.ping({ deadlineMs: 500 }))).code).toBe("ledger_unavailable");
    expect((await failure(ledger.count())).code).toBe("ledger_unavailable");
    await own.start();
    await eventually("connected", () => ledger.connection === "connected");
    expect(await ledger.advance(claimOf("mail-1"), changes.accepted)).toEqual({ kind: "done" });
    expect(await ledger.find("mail-1")).toMatchObject({ state: "accepted", late: false });
  });

  test("frozen: unavailable within 2.5 s; thawed: what was asked again says the same", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await ledger.claim(request("mail-1"));
    own.freeze();
    const failed = await failure(ledger.advance(claimOf("mail-1"), submitting));
    expect(failed.code).toBe("ledger_unavailable");
    expect(failed.afterMs).toBeLessThan(2500);
    own.thaw();
    await eventually("connected", () => ledger.connection === "connected");
    expect(await ledger.advance(claimOf("mail-1"), submitting)).toEqual({ kind: "done" });
    expect(await ledger.find("mail-1")).toMatchObject({ state: "submitting", fence: 1 });
  });

  test("a Redis that came back empty: work on a mail is lost, an acceptance is recorded", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await ledger.claim(request("mail-1"));
    await ledger.claim(request("mail-2"));
    await redis.run((client) => client.flushall());
    const lost = { kind: "lost", state: "none" } as const;
    expect(await ledger.advance(claimOf("mail-1"), submitting)).toEqual(lost);
    expect(await ledger.advance(claimOf("mail-2"), changes.accepted)).toEqual({ kind: "late" });
  });

  test("a copy of a command that runs late changes nothing", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const counted = countScripts(redis);
    const ledger = openRedisDeliveryLedger({ redis: counted.client });
    const read = () => redis.run((client) => client.get("email:sent:mail-1"));
    const claim = claimOf("mail-1");
    const deferral = {
      kind: "deferred",
      countsAttempt: true,
      leaseMs: 15_000,
      reason: "451",
    } as const;
    const steps = [
      () => ledger.claim(request("mail-1")),
      () => ledger.advance(claim, submitting),
      () => ledger.advance(claim, deferral),
      () => ledger.claim(request("mail-1")),
      () => ledger.advance(claim, { kind: "renew", state: "claimed", leaseMs: 15_000 }),
      () => ledger.advance(claim, submitting),
      () => ledger.advance(claim, changes.ambiguous),
      () => ledger.markBuried("mail-1", { partition: 0, offset: 1 }),
      () => ledger.claim({ ...request("mail-1"), replayCount: 1 }),
    ];
    for (const step of steps) {
      const before = await read();
      await step();
      const after = await read();
      expect(after).not.toBe(before);
      for (const [script, keys, args] of counted.calls) {
        await redis.scriptAll(script, keys, args);
      }
      expect(await read()).toBe(after);
    }
  });

  test("a value of another type is unavailable, not a mail to send, and fails no other", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await redis.run((client) => client.hset("email:sent:mail-1", "sent", "yes"));
    const ids = ["mail-0", "mail-1", "mail-2"];
    const expected = [{ kind: "claimed" }, { code: "ledger_unavailable" }, { kind: "claimed" }];
    expect(await ledger.claimAll(ids.map((id) => request(id)))).toMatchObject(expected);
    const steps = ids.map((id) => ({ claim: claimOf(id), change: submitting }));
    const answers = await ledger.advanceAll(steps);
    expect(answers).toMatchObject([{ kind: "done" }, expected[1], { kind: "done" }]);
    expect((await failure(ledger.claim(request("mail-1")))).code).toBe("ledger_unavailable");
  });

  test("a full memory fails what has to be written, and answers what has not", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await ledger.claim(request("mail-1"));
    await redis.run((client) => client.config("SET", "maxmemory", "1"));
    const stale = { messageId: "mail-1", owner: "b", fence: 1 };
    const steps = [
      { claim: claimOf("mail-1"), change: submitting },
      { claim: stale, change: submitting },
    ];
    const [refused, lost] = await ledger.advanceAll(steps);
    expect(refused).toMatchObject({ code: "ledger_unavailable" });
    expect(lost).toEqual({ kind: "lost", state: "claimed" });
    expect(ledger.refusal).toContain("OOM");
    await redis.run((client) => client.config("SET", "maxmemory", "0"));
    expect(await ledger.advance(claimOf("mail-1"), submitting)).toEqual({ kind: "done" });
  });

  test("a record of an earlier layout is advanced, and one of this layout by an earlier version", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const [ledger, other] = [
      openRedisDeliveryLedger({ redis }),
      openRedisDeliveryLedger({ redis }),
    ];
    await ledger.claim(request("mail-1"));
    const read = async () => (await redis.run((client) => client.get("email:sent:mail-1"))) ?? "";
    const { state, fence, owner, revision, ...rest } = JSON.parse(await read());
    const earlier = JSON.stringify({ state, fence, owner, revision: revision + 1, ...rest });
    await redis.run((client) => client.set("email:sent:mail-1", earlier));
    for (const change of [submitting, changes.accepted]) {
      expect(await ledger.advance(claimOf("mail-1"), change)).toEqual({ kind: "done" });
    }
    expect(await other.find("mail-1")).toMatchObject({ state: "accepted", late: false });
  });

  test("a Redis of several shards, which takes no keys of several slots, is used call by call", async () => {
    const busPort = await choosePort(0);
    const args = ["--cluster-enabled", "yes", "--cluster-port", String(busPort)];
    await using own = await openOwnRedis({ args });
    const cluster = async (...words: string[]) =>
      await Bun.$`redis-cli -p ${own.port} CLUSTER ${words}`.text();
    await cluster("ADDSLOTSRANGE", "0", "16383");
    await eventually("it takes commands", async () =>
      (await cluster("INFO")).includes("cluster_state:ok"),
    );
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    for (const turn of ["a", "b"]) {
      const ids = [1, 2, 3].map((id) => `${turn}-${id}`);
      const claimed = await ledger.claimAll(ids.map((id) => request(id)));
      expect(claimed).toMatchObject(ids.map(() => ({ kind: "claimed", fence: 1 })));
      const steps = ids.map((id) => ({ claim: claimOf(id), change: submitting }));
      const singly = steps.map(({ claim, change }) => ledger.advance(claim, change));
      expect(await Promise.all(singly)).toEqual(ids.map(() => ({ kind: "done" })));
      expect(await ledger.advanceAll(steps)).toEqual(ids.map(() => ({ kind: "done" })));
    }
  });

  test("the count forgets minutes that are older than a day", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    const key = "email:ledger:minutes";
    const minute = Math.floor(Date.now() / 60_000);
    const totals = { [minute - 1500]: 7, [minute - 1441]: 5, [minute - 1430]: 3 };
    await redis.run((client) => client.hset(key, totals));
    expect(await ledger.count()).toBe(3);
    await ledger.claim(request("mail-1"));
    expect(await ledger.count()).toBe(4);
    expect(await redis.run((client) => client.hlen(key))).toBe(2);
  });

  test("a process whose clock is off writes the server's times, after one more command", async () => {
    for (const offMs of [-1_200_000, -1_500, 700, 1_200_000]) {
      await using own = await openOwnRedis();
      await using redis = await openRedisAt(own.url);
      const counted = countScripts(redis);
      const clock: Clock = { ...systemClock, now: () => systemClock.now() + offMs };
      const ledger = openRedisDeliveryLedger({ redis: counted.client, clock });
      for (const messageId of ["mail-1", "mail-2"]) {
        await ledger.claim(request(messageId));
        await ledger.advance(claimOf(messageId), submitting);
        await ledger.advance(claimOf(messageId), changes.accepted);
      }
      expect(counted.calls).toHaveLength(Math.abs(offMs) > 1000 ? 7 : 6);
      const record = await ledger.find("mail-2");
      const times = [record?.sentAt, ...(record?.history.map(({ at }) => at) ?? [])];
      expect(times).toHaveLength(4);
      for (const at of times) expect(Math.abs(Number(at) - Date.now())).toBeLessThan(500);
    }
  });

  test("a write that waited for longer than a second is decided again at the server's time", async () => {
    await using own = await openOwnRedis();
    await using redis = await openRedisAt(own.url);
    const ledger = openRedisDeliveryLedger({ redis });
    await ledger.claim(request("mail-1"));
    own.freeze();
    const claimed = ledger.claim(request("mail-2"));
    await Bun.sleep(1_300);
    own.thaw();
    expect(await claimed).toMatchObject({ kind: "claimed" });
    const leaseUntil = (await ledger.find("mail-2"))?.leaseUntil ?? 0;
    expect(leaseUntil).toBeGreaterThan(Date.now() + 15_000 - 500);
  });
});

type ScriptCall = readonly [
  script: RedisScript<unknown>,
  keys: readonly string[],
  args: readonly (string | number)[],
];

function countScripts(redis: RedisClient): { client: RedisClient; calls: ScriptCall[] } {
  const calls: ScriptCall[] = [];
  const client: RedisClient = {
    ...redis,
    scriptAll: (script, keys, args) => {
      if (script.sha === writeScript.sha) calls.push([script, keys, args]);
      return redis.scriptAll(script, keys, args);
    },
  };
  return { client, calls };
}
