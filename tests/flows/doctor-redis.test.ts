import { describe, expect, test } from "bun:test";
import { diagnoseRedis } from "../../src/core/redis/diagnose.ts";
import { systemClock } from "../../src/core/time.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import { diagnosed, examineWith, findTrouble, troubles } from "../support/doctor.ts";

const password = "sesame-open-this-test";

function connectionTo({ host, port }: OwnRedis, secret?: string) {
  return { host, port, username: undefined, password: secret, db: 0, tls: false };
}

/** Follows a fix that is a redis-cli command. */
function follow(redis: OwnRedis, fix: string | undefined): void {
  const command = /^redis-cli ([^,]+),/.exec(fix ?? "")?.[1]?.split(" ") ?? [];
  const done = Bun.spawnSync(["redis-cli", "-p", String(redis.port), ...command]);
  expect(done.stdout.toString().trim()).toBe("OK");
}

describe.skipIf(!hasRedisServer())("doctor at Redis", () => {
  test("finds nothing at one that keeps its promises", async () => {
    await using redis = await openOwnRedis();
    const { findings } = await examineWith({ REDIS_URL: redis.url });
    const checks = findings.filter(({ check }) => check.startsWith("redis."));
    expect(troubles(checks)).toEqual([]);
    expect(checks.map(({ check }) => check)).toEqual([
      "redis.reachable",
      "redis.eviction",
      "redis.persistence",
      "redis.memory",
      "redis.clock",
    ]);
  });

  test("finds eviction and missing persistence, and its fixes fix them", async () => {
    await using redis = await openOwnRedis({
      persistent: false,
      args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
    });
    const look = () => diagnosed((diagnosis) => diagnoseRedis(connectionTo(redis), diagnosis));
    const before = await look();
    expect(troubles(before)).toEqual(["redis.eviction", "redis.persistence"]);
    const eviction = findTrouble(before, "redis.eviction");
    expect(eviction).toMatchObject({ level: "fault" });
    expect(eviction.text).toContain("allkeys-lru");
    follow(redis, eviction.fix);
    follow(redis, findTrouble(before, "redis.persistence").fix);
    expect(troubles(await look())).toEqual([]);
  });

  test("finds a memory that is nearly used up", async () => {
    await using redis = await openOwnRedis({ args: ["--maxmemory", "1mb"] });
    const found = await diagnosed((diagnosis) => diagnoseRedis(connectionTo(redis), diagnosis));
    const memory = findTrouble(found, "redis.memory");
    expect(memory.text).toContain("of maxmemory (1 MiB)");
    expect(memory.fix).toContain("Raise maxmemory");
  });

  test("tells a wrong password from a missing one, and shows none", async () => {
    await using redis = await openOwnRedis({ args: ["--requirepass", password] });
    const url = (secret: string) => redis.url.replace("//", `//:${secret}@`);
    const wrong = await examineWith({ REDIS_URL: url("not-this-password") });
    expect(wrong.exitCode).toBe(1);
    expect(findTrouble(wrong.findings, "redis.reachable")).toMatchObject({
      text: "It refused the password",
      fix: "Check REDIS_PASSWORD, or the password in REDIS_URL",
    });
    expect(wrong.text).not.toContain("not-this-password");
    const missing = await examineWith({ REDIS_URL: redis.url });
    expect(findTrouble(missing.findings, "redis.reachable").fix).toContain("Set REDIS_PASSWORD");
    const right = await examineWith({ REDIS_URL: url(password) });
    expect(troubles(right.findings)).not.toContain("redis.reachable");
    expect(right.text).not.toContain(password);
  });

  test("finds a clock that is wrong", async () => {
    await using redis = await openOwnRedis();
    const clock = { ...systemClock, now: () => Date.now() + 90_000 };
    const found = await diagnosed((diagnosis) =>
      diagnoseRedis(connectionTo(redis), diagnosis, { clock }),
    );
    const { level, text, fix } = findTrouble(found, "redis.clock");
    expect(level).toBe("fault");
    expect(text).toContain("90 s behind");
    expect(fix).toContain("NTP");
  });

  test("finds a replica, and names its master", async () => {
    await using master = await openOwnRedis();
    await using replica = await openOwnRedis({
      args: ["--replicaof", master.host, String(master.port)],
    });
    const found = await diagnosed((diagnosis) => diagnoseRedis(connectionTo(replica), diagnosis));
    expect(findTrouble(found, "redis.role").fix).toContain(`${master.host}:${master.port}`);
  });

  test("reports an unreachable Redis, a missing database and a frozen server, in time", async () => {
    await using redis = await openOwnRedis();
    const missing = await examineWith({ REDIS_URL: `${redis.url.slice(0, -1)}99` });
    expect(findTrouble(missing.findings, "redis.reachable")).toMatchObject({
      text: expect.stringContaining("no database 99, only 0 to 15"),
      fix: "Set a number from 0 to 15 in REDIS_DB, or at the end of REDIS_URL",
    });
    redis.freeze();
    const startedAt = performance.now();
    const frozen = await examineWith({ REDIS_URL: redis.url });
    expect(performance.now() - startedAt).toBeLessThan(9_500);
    expect(findTrouble(frozen.findings, "redis.reachable").text).toContain("no answer in time");
    redis.thaw();
    await redis.stop();
    const gone = await examineWith({ REDIS_ADDR: `${redis.host}:${redis.port}` });
    expect(findTrouble(gone.findings, "redis.reachable")).toMatchObject({
      text: `Nothing listens on ${redis.host}:${redis.port}`,
      fix: expect.stringContaining("Start Redis"),
    });
  });
});
