import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";

const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const postgres = findEngine("postgres") ?? "";
const program = findEngine("instant") ?? "";
const complete = [kafka, redis, postgres, program].every((address) => address !== "");
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
  test("send no welcome to who unsubscribed by its link, and still a code", async () => {
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

  test("try an address that was refused again after it was removed from the list", async () => {
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
