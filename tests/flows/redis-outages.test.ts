import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { hasRedisServer, openOwnRedis, openRedisPair } from "../../support/own-redis.ts";
import { openServiceRig, sentTwice, urlOf } from "../../support/service-rig.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";

const kafka = findEngine("kafka") ?? "";
const program = findEngine("instant") ?? "";
const complete = kafka !== "" && program !== "" && hasRedisServer();

async function read(url: string) {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What becomes of 600 mails when the ledger goes in their middle and comes back. */
async function loseLedger(
  leave: (redis: OwnRedis) => void | Promise<void>,
  comeBack: (redis: OwnRedis) => void | Promise<void>,
  options: { readonly persistent: boolean } = { persistent: true },
): Promise<void> {
  await using redis = await openOwnRedis(options);
  await using rig = await openServiceRig({ program, kafka, redis: redis.url });
  rig.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: 20 } }]);
  const worker = rig.start(["serve-email"]);
  const url = await urlOf(worker, "Email service started");
  const events = Array.from({ length: 600 }, () => welcomeEvent());
  await rig.publish(events);
  await eventually("mails flow", () => rig.sink.acceptedTotal > 100);
  await leave(redis);
  const reasonsOf = async () => {
    const { status, body } = await read(`${url}/readyz`);
    return status === 503 ? body["reasons"] : undefined;
  };
  expect(String(await eventually("it is not ready", reasonsOf))).toContain("Redis");
  expect(await read(`${url}/health`)).toMatchObject({
    status: 503,
    body: { status: "unhealthy", redis: "disconnected", idempotency_records: null },
  });
  const isWireQuiet = () => rig.sink.acceptedTotal === rig.sink.reachedTotal.dot;
  await eventually("what was on the wire is answered", isWireQuiet);
  const paused = rig.sink.acceptedTotal;
  await Bun.sleep(1500); // nothing may be sent meanwhile
  expect(rig.sink.acceptedTotal).toBe(paused);
  await comeBack(redis);
  await rig.untilDrained();
  const isReady = async () => (await read(`${url}/readyz`)).status === 200;
  await eventually("it is ready again", isReady);
  expect(rig.sink.countByMessageId().size).toBe(events.length);
  expect([...rig.sink.countByMessageId().values()].filter((times) => times > 1)).toEqual([]);
}

describe.skipIf(!complete)("Redis under a load of mails", () => {
  test("stopped and started again: the worker pauses, reports why, and sends each mail once", async () => {
    await loseLedger(
      (redis) => redis.stop(),
      (redis) => redis.start(),
    );
  }, 90_000);

  test("killed and started again with its append-only file: each mail once", async () => {
    await loseLedger(
      (redis) => redis.kill(),
      (redis) => redis.start(),
    );
  }, 90_000);

  test("killed and started again empty: uncommitted records come again, and each mail is sent once", async () => {
    await loseLedger(
      (redis) => redis.kill(),
      (redis) => redis.start(),
      { persistent: false },
    );
  }, 90_000);

  test("frozen past the lease and thawed: each mail once", async () => {
    await loseLedger(
      (redis) => redis.freeze(),
      async (redis) => {
        await Bun.sleep(3000); // longer than the lease and the answer's time
        redis.thaw();
      },
    );
  }, 90_000);
});

const codePattern = /\b(\d{6})\b/;

test.skipIf(!complete)(
  "Redis fails over: codes, sessions and mails keep working in both services, each mail sent once",
  async () => {
    await using pair = await openRedisPair();
    await using rig = await openServiceRig({ program, kafka, redis: pair.url });
    const worker = rig.start(["serve-email"]);
    const url = await urlOf(rig.start(["serve-auth"]), "Auth service started");
    const post = (path: string, body: unknown) =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    const mailsTo = (email: string) => rig.sink.accepted.filter(({ to }) => to.includes(email));
    const signIn = async (email: string): Promise<string> => {
      expect((await post("/auth/request-code", { email })).status).toBe(200);
      const mail = await eventually("the code arrives", () => mailsTo(email)[0]);
      const code = codePattern.exec(readMail(mail.data).text)?.[1];
      const verified = await post("/auth/verify-code", { email, code });
      expect(verified.status).toBe(200);
      return ((await verified.json()) as { token: string }).token;
    };
    const me = async (token: string) =>
      (await fetch(`${url}/auth/sessions`, { headers: { Authorization: `Bearer ${token}` } }))
        .status;

    const token = await signIn("ana@example.com");
    await pair.failOver();
    const startedAt = performance.now();
    const later = await signIn("bo@example.com");
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect([await me(token), await me(later)]).toEqual([200, 200]);
    await rig.untilDrained();
    expect(sentTwice(rig.sink)).toEqual([]);
    expect(worker.findLogs("Redis unavailable")[0]?.["reason"]).toContain("READONLY");
  },
  60_000,
);

test.skipIf(!complete)(
  "Redis is demoted under idle services: both report READONLY, and recover when the address has moved",
  async () => {
    await using pair = await openRedisPair();
    await using rig = await openServiceRig({ program, kafka, redis: pair.url });
    const urls = await Promise.all([
      urlOf(rig.start(["serve-email"]), "Email service started"),
      urlOf(rig.start(["serve-auth"]), "Auth service started"),
    ]);
    const readiness = (url: string) => async () => {
      const answer = await fetch(`${url}/readyz`);
      return `${answer.status} ${await answer.text()}`;
    };
    const each = async (what: string, wanted: (said: string) => boolean) => {
      const startedAt = performance.now();
      const asked = urls.map((url) =>
        eventually(`${url} ${what}`, async () => wanted(await readiness(url)())),
      );
      await Promise.all(asked);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    };
    await each("is ready", (said) => said.startsWith("200"));
    await pair.demote();
    await each("says why", (said) => said.startsWith("503") && said.includes("READONLY You can't"));
    await pair.moveAddress();
    await each("is ready again", (said) => said.startsWith("200"));
    await pair.call("master", "CONFIG", "SET", "min-replicas-to-write", "5");
    await each("says why", (said) => said.startsWith("503") && said.includes("NOREPLICAS"));
    await pair.call("master", "CONFIG", "SET", "min-replicas-to-write", "0");
    await each("is ready again", (said) => said.startsWith("200"));
  },
  60_000,
);

test.skipIf(!complete)(
  "a database number that Redis does not have is reported by log and readiness, and database 0 stays empty",
  async () => {
    await using redis = await openOwnRedis({ args: ["--databases", "5"] });
    const url = redis.url.replace(/0$/, "5");
    await using rig = await openServiceRig({ program, kafka, redis: url });
    const services = [rig.start(["serve-email"]), rig.start(["serve-auth"])];
    const [emailUrl, authUrl] = await Promise.all([
      urlOf(services[0] as (typeof services)[number], "Email service started"),
      urlOf(services[1] as (typeof services)[number], "Auth service started"),
    ]);
    const wanted =
      /no database 5, only 0 to 4 .*from 0 to 4 in REDIS_DB, or at the end of REDIS_URL/;
    for (const address of [emailUrl, authUrl]) {
      await eventually(`${address} says why`, async () => {
        const answer = await fetch(`${address}/readyz`);
        return answer.status === 503 && wanted.test(await answer.text());
      });
    }
    for (const service of services) {
      const said = service.findLogs("Redis unavailable").map(({ reason }) => reason);
      expect(said).toEqual([expect.stringMatching(wanted)]);
    }
    const asked = await fetch(`${authUrl}/auth/request-code`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email: "ana@example.com" }),
    });
    expect(asked.status).toBe(503);
    const cli = Bun.spawnSync(["redis-cli", "-p", String(redis.port), "DBSIZE"]);
    expect(cli.stdout.toString().trim()).toBe("0");
  },
  60_000,
);
