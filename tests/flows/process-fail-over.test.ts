import { expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import { openRedisPair } from "../../support/redis-pair.ts";
import { openServiceRig, sentTwice, urlOf } from "../../support/service-rig.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";

const program = findEngine("instant") ?? "";
const kafka = findEngine("kafka") ?? "";
const complete = program !== "" && kafka !== "" && hasRedisServer();
const codePattern = /\b(\d{6})\b/;

test.skipIf(!complete)(
  "Redis fails over: codes, sessions and mails go on in both services, each mail once",
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
  "Redis is demoted under idle services: both say READONLY, and go on when the address has moved",
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
  "a database that the Redis does not have: said by log, readiness and doctor; 0 stays empty",
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
