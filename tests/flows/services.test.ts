import { describe, expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { decodeEmailEvent } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openRedisAt } from "../../support/own-redis.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";
import { handleEach } from "../support/handle-each.ts";

const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const postgres = findEngine("postgres") ?? "";
const program = findEngine("instant") ?? "";
const complete = [kafka, redis, postgres, program].every((address) => address !== "");

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

describe.skipIf(!complete)("the guide, on Kafka, Redis, Postgres and SMTP", () => {
  test("two quick requests are one mail; its code opens a session; no log line holds a secret", async () => {
    const email = `duplicate-${crypto.randomUUID()}@test.com`;
    const schema = `t${crypto.randomUUID().replaceAll("-", "")}`;
    const environment = { DATABASE_URL: postgres, DB_SCHEMA: schema };
    await using rig = await openServiceRig({ program, kafka, redis, environment });
    const [worker, auth] = [rig.start(["serve-email"]), rig.start(["serve-auth"])];
    const authUrl = await urlOf(auth, "Auth service started");
    const emailUrl = await urlOf(worker, "Email service started");
    for (let tries = 0; tries < 2; tries += 1) {
      const answer = await post(`${authUrl}/auth/request-code`, { email });
      expect(await answer.text()).toBe('{"message":"verification code sent to your email"}');
    }
    const phrase = "Duplicate email event detected, skipping";
    const duplicate = await eventually(
      "the second is a duplicate",
      () => worker.findLogs(phrase)[0],
    );
    expect(rig.sink.acceptedTotal).toBe(1);
    const messageId = String(duplicate["messageID"]);
    const idsOf = (line: string) => worker.findLogs(line).map((fields) => fields["messageID"]);
    expect(idsOf("Email event consumed")).toEqual([messageId, messageId]);
    expect(idsOf("Email sent successfully")).toEqual([messageId]);
    expect(idsOf("Marked email as processed")).toEqual([messageId]);

    await using client = await openRedisAt(redis);
    const key = `email:sent:${messageId}`;
    const record = JSON.parse((await client.run((each) => each.get(key))) ?? "{}");
    expect(record).toMatchObject({ state: "accepted", sent_at: expect.any(String) });
    const ttl = await client.run((each) => each.ttl(key));
    expect([ttl <= 86_400, ttl > 86_000]).toEqual([true, true]);

    const health = (await (await fetch(`${emailUrl}/health`)).json()) as object;
    expect(health).toMatchObject({
      status: "healthy",
      service: "email-service",
      redis: "connected",
    });
    expect(Object.keys(health)).toEqual([
      "status",
      "service",
      "redis",
      "idempotency_records",
      "timestamp",
    ]);
    const stats = (await (await fetch(`${emailUrl}/stats`)).json()) as object;
    expect(stats).toEqual({ idempotency_records: expect.any(Number), ttl_hours: 24 });

    const mail = readMail(rig.sink.accepted[0]?.data ?? "");
    const code = /\b\d{6}\b/.exec(mail.text)?.[0] ?? "";
    const verified = await post(`${authUrl}/auth/verify-code`, { email, code });
    const { token, user } = (await verified.json()) as { token: string; user: object };
    const headers = { Authorization: `Bearer ${token}` };
    const me = await fetch(`${authUrl}/auth/me`, { headers });
    expect(JSON.stringify(await me.json())).toContain(email);
    expect(user).toMatchObject({ email });

    await auth.stop();
    await worker.stop();
    // Six digits may be part of a random id by chance; a code is never a part of something.
    for (const secret of [new RegExp(`(?<![\\w-])${code}(?![\\w-])`), token, email]) {
      for (const { output } of [auth, worker]) expect(output).not.toMatch(secret);
    }
  }, 60_000);
});

const publicUrl = "https://sign-in.example.com";

async function openServices() {
  const stack = new AsyncDisposableStack();
  const { schema } = stack.use(await openTestPostgres(postgres));
  const environment = { DATABASE_URL: postgres, DB_SCHEMA: schema, PUBLIC_URL: publicUrl };
  const rig = stack.use(await openServiceRig({ program, kafka, redis, environment }));
  const [worker, auth] = [rig.start(["serve-email"]), rig.start(["serve-auth"])];
  const [emailUrl, authUrl] = [
    await urlOf(worker, "Email service started"),
    await urlOf(auth, "Auth service started"),
  ];
  const stateOf = async (messageId: string) => (await rig.ledger.find(messageId))?.state;
  return {
    rig,
    worker,
    emailUrl,
    authUrl,
    stateOf,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe.skipIf(!complete)("the services, on Kafka, Redis, Postgres and SMTP", () => {
  test("send no welcome to a recipient who unsubscribed by its link, and still a code", async () => {
    await using services = await openServices();
    const { rig, authUrl, emailUrl } = services;
    const recipient = `ana-${crypto.randomUUID()}@example.com`;
    const [first, second, code] = [
      welcomeEvent({ recipient }),
      welcomeEvent({ recipient }),
      codeEvent({ recipient }),
    ];
    await rig.publish([first]);
    const mail = await eventually("the welcome is sent", () => rig.sink.accepted[0]);
    const link = readMail(mail.data).headers.get("list-unsubscribe")?.slice(1, -1) ?? "";
    expect(link).toStartWith(`${publicUrl}/unsubscribe/`);
    const body = new URLSearchParams({ "List-Unsubscribe": "One-Click" });
    const answer = await fetch(link.replace(publicUrl, authUrl), { method: "POST", body });
    expect(answer.status).toBe(200);
    await rig.publish([second, code]);
    await rig.untilDrained();
    expect(await services.stateOf(second.messageId)).toBe("suppressed");
    expect(await services.stateOf(code.messageId)).toBe("accepted");
    const metrics = await (await fetch(`${emailUrl}/metrics`)).text();
    expect(metrics).toContain('instant_email_suppressed_total{reason="unsubscribed"} 1');
    expect(services.worker.output).not.toContain(link);
  }, 60_000);

  test("send to a refused address again once it is removed from the suppression list", async () => {
    await using services = await openServices();
    const { rig } = services;
    const recipient = `ben-${crypto.randomUUID()}@example.com`;
    const does = { kind: "reply", text: "550 5.1.1 no such user" } as const;
    rig.sink.misbehave({ at: "rcpt", does, times: 1 });
    const [refused, next, healed] = [
      codeEvent({ recipient }),
      codeEvent({ recipient }),
      codeEvent({ recipient }),
    ];
    await rig.publish([refused, next]);
    await rig.untilDrained();
    expect(await services.stateOf(refused.messageId)).toBe("rejected");
    expect(await services.stateOf(next.messageId)).toBe("suppressed");
    const removing = rig.start(["suppressions", "remove", recipient]);
    await eventually("it says so", () => removing.output.includes("1 removed"));
    await rig.publish([healed]);
    await rig.untilDrained();
    expect(await services.stateOf(healed.messageId)).toBe("accepted");
    expect(rig.sink.acceptedTotal).toBe(1);
  }, 60_000);
});

const email = "ana@example.com";

const isKept = (dev: DevProcess, kind: string) =>
  dev.process
    .findLogs("Email kept in the inbox")
    .some(({ messageID }) => String(messageID).startsWith(kind));

/** The code of the `count`-th code mail, in the order they were requested. */
async function nthCode(dev: DevProcess, count: number): Promise<string> {
  return eventually(`code ${count} comes`, () => {
    const texts = dev.process.findLogs("Email kept in the inbox").map(({ text }) => String(text));
    return texts.flatMap((text) => /\b\d{6}\b/.exec(text)?.[0] ?? [])[count - 1];
  });
}

test.skipIf(program === "")("notices reach the inbox of instant dev", async () => {
  await using dev = await openDevProcess(program);
  const { authUrl } = dev;
  const signIn = async (count: number, device: string): Promise<string> => {
    await post(`${authUrl}/auth/request-code`, { email });
    const body = { email, code: await nthCode(dev, count) };
    const answer = await post(`${authUrl}/auth/verify-code`, body, { "User-Agent": device });
    return ((await answer.json()) as { token: string }).token;
  };
  await signIn(1, "curl/8");
  const token = await signIn(2, "wget/1");
  await eventually("the notice of the sign-in is kept", () => isKept(dev, "sign-in-notice-"));
  const headers = { Authorization: `Bearer ${token}` };
  await post(`${authUrl}/users/me/email`, { email: "ben@example.org" }, headers);
  const body = { email: "ben@example.org", code: await nthCode(dev, 3) };
  const changed = await post(`${authUrl}/users/me/email/verify`, body, headers);
  expect(changed.status).toBe(200);
  await eventually("the notice of the change is kept", () => isKept(dev, "email-change-"));
  const kept = dev.process.findLogs("Email kept in the inbox");
  expect(kept.at(-1)).toMatchObject({ to: "a***@example.com" });
});

/** The forms in which the older service may have said that a mail was sent. */
const forms: readonly ((event: EmailEvent) => string)[] = [
  ({ messageId, recipient }) =>
    JSON.stringify({ message_id: messageId, recipient, sent_at: new Date().toISOString() }),
  ({ eventType }) =>
    JSON.stringify({ event_type: eventType, sent_at: Math.floor(Date.now() / 1000) }),
  () => "sent",
];

async function markSent(events: readonly EmailEvent[]): Promise<void> {
  await using client = await openRedisAt(redis);
  for (const [index, event] of events.entries()) {
    const text = forms[index % forms.length]?.(event) ?? "";
    await client.run((each) => each.set(`email:sent:${event.messageId}`, text, "EX", 86_400));
  }
}

/** The older service in the same group: it finishes these events, commits, and is stopped. */
async function finishInGroup(rig: ServiceRig, events: readonly EmailEvent[]): Promise<void> {
  const wanted = new Set(events.map(({ messageId }) => messageId));
  const subscription = await rig.eventLog.subscribe({
    topic: rig.eventsTopic,
    group: rig.group,
    handle: handleEach(async (record) => {
      const decoded = decodeEmailEvent(record.value);
      if (decoded.kind === "event") wanted.delete(decoded.event.messageId);
    }),
  });
  await eventually("the older service has finished its part", () => wanted.size === 0);
  await subscription.stop({ drainMs: 5_000 });
}

function someEvents(count: number): EmailEvent[] {
  return Array.from({ length: count }, (_, index) =>
    welcomeEvent({ recipient: `m${index}-${crypto.randomUUID()}@example.com` }),
  );
}

describe.skipIf([kafka, redis, program].includes(""))(
  "on the topics and keys of the older service",
  () => {
    test("mails that it committed or recorded are not sent again, and all others once", async () => {
      await using rig = await openServiceRig({ program, kafka, redis });
      const [committed, recorded, open] = [someEvents(12), someEvents(9), someEvents(15)];
      await rig.publish(committed);
      await finishInGroup(rig, committed);
      await rig.publish([...recorded, ...open]);
      await markSent(recorded);
      const worker = rig.start(["serve-email"]);
      await rig.untilDrained();
      const sent = rig.sink.accepted.map(({ to }) => to[0] ?? "");
      expect(sent.toSorted()).toEqual(open.map(({ recipient }) => recipient).toSorted());
      const duplicates = worker.findLogs("Duplicate email event detected, skipping");
      expect(new Set(duplicates.map((line) => line["messageID"]))).toEqual(
        new Set(recorded.map(({ messageId }) => messageId)),
      );
    });
  },
);
