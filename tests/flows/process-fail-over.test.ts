import { expect, test } from "bun:test";
import { findEngine } from "../support/engines.ts";
import { eventually } from "../support/eventually.ts";
import { hasRedisServer } from "../support/own-redis.ts";
import { openRedisPair } from "../support/redis-pair.ts";
import { openServiceRig, sentTwice, urlOf } from "../support/service-rig.ts";
import { readMail } from "../support/smtp-sink/read-mail.ts";

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
    expect(worker.findLogs("Redis is away")[0]?.["reason"]).toContain("READONLY");
  },
  60_000,
);
