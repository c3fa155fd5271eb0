import { describe, expect, test } from "bun:test";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { DirectDelivery } from "../../src/email/delivery/publisher.ts";
import { recipientKey } from "../../src/email/event.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";
import type { DeliveryRigOptions } from "../support/delivery-rig.ts";
import { openDeliveryRig, rigOrigin } from "../support/delivery-rig.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");
const postgres = findEngine("postgres");
const missing = kafka === undefined || redis === undefined || postgres === undefined;

describe("recipients on the embedded engines", () => {
  recipientsSuite({});
});

describe.skipIf(missing)("recipients on Kafka, Redis and Postgres", () => {
  recipientsSuite({ kafka, redis, postgres });
});

async function openRigBehindProxy() {
  const stack = new AsyncDisposableStack();
  const url = new URL(postgres ?? "");
  const proxy = stack.use(new StallableProxy(url.host));
  url.host = `127.0.0.1:${proxy.port}`;
  const rig = stack.use(await openDeliveryRig({ kafka, redis, postgres: url.href }));
  return { rig, proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(missing)("mails while Postgres is unavailable", () => {
  test.each([
    ["gone", (proxy: StallableProxy) => proxy.cut()],
    ["frozen", (proxy: StallableProxy) => proxy.stall()],
  ])("(%s): codes go, optional mails wait and go when it is back", async (_name, leave) => {
    await using opened = await openRigBehindProxy();
    const { rig, proxy } = opened;
    await rig.startWorker();
    const declinedBefore = "ben@example.com";
    await rig.preferences.change(recipientKey(declinedBefore), { welcome: false });
    leave(proxy);
    const waiting = [welcomeEvent(), welcomeEvent({ recipient: declinedBefore }), welcomeEvent()];
    const codes = Array.from({ length: 20 }, () => codeEvent());
    for (const event of [...waiting, ...codes]) await rig.publish(event);
    await eventually("the codes are sent", () => rig.sink.acceptedTotal === codes.length, 10_000);
    const waits = () => rig.lines.some(({ msg }) => msg.startsWith("Preferences unavailable"));
    await eventually("the optional mails wait", waits);
    proxy.resume();
    await rig.untilDrained(20_000);
    const counts = rig.sink.countByMessageId();
    expect(waiting.map(({ messageId }) => counts.get(messageId) ?? 0)).toEqual([1, 0, 1]);
    expect(await rig.deadLetters()).toEqual([]);
  });
});

const recipient = "ana@example.com";
const key = recipientKey(recipient);

/** Mails to people who declined them, and to suppressed addresses. */
function recipientsSuite(engines: DeliveryRigOptions): void {
  const open = () => openDeliveryRig(engines);

  describe("an optional mail", () => {
    test("carries the link and the headers of one-click unsubscribe; a code does not", async () => {
      await using rig = await open();
      await rig.startWorker();
      const [welcome, code] = [welcomeEvent({ recipient }), codeEvent({ recipient })];
      for (const event of [welcome, code]) await rig.publish(event);
      await rig.untilDrained();
      const linesOf = (id: string) => {
        const { data = "" } = rig.sink.accepted.find(({ messageId }) => messageId === id) ?? {};
        const unfolded = data.replace(/\r\n(?=[ \t])/g, "");
        return unfolded.split("\r\n").filter((line) => line.startsWith("List-Unsubscribe"));
      };
      expect(linesOf(welcome.messageId)).toEqual([
        expect.stringMatching(
          new RegExp(`^List-Unsubscribe: <${rigOrigin}/unsubscribe/${key}[.]welcome[.][\\w.-]+>$`),
        ) as unknown as string,
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
      ]);
      expect(linesOf(code.messageId)).toEqual([]);
    });

    test("that was declined ends as suppressed (unsubscribed); a code is still sent", async () => {
      await using rig = await open();
      await rig.startWorker();
      await rig.preferences.change(key, { welcome: false });
      const [welcome, code] = [welcomeEvent({ recipient }), codeEvent({ recipient })];
      for (const event of [welcome, code]) await rig.publish(event);
      await rig.untilDrained();
      expect(rig.sink.accepted.map(({ messageId }) => messageId)).toEqual([code.messageId]);
      expect(await rig.ledger.find(welcome.messageId)).toMatchObject({
        state: "suppressed",
        reason: "unsubscribed",
      });
      const line = rig.lines.find(({ msg }) => msg === "Email suppressed, not sent");
      expect(line).toMatchObject({ messageID: welcome.messageId, reason: "unsubscribed" });
      expect(await rig.deadLetters()).toEqual([]);
    });
  });

  test("root of this machine gets no mail in production", async () => {
    await using rig = await openDeliveryRig({ ...engines, refusesLocalhost: true });
    await rig.startWorker();
    const events = ["root@localhost", "root@localhost.localdomain", recipient].map((to) =>
      welcomeEvent({ recipient: to }),
    );
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    expect(rig.sink.accepted.map(({ to }) => to)).toEqual([[recipient]]);
    const reasons = (await rig.deadLetters()).map(({ facts }) => [facts.class, facts.reason]);
    const reason = "recipient must not be at localhost, because APP_ENV is production";
    expect(reasons).toEqual([
      ["malformed", reason],
      ["malformed", reason],
    ]);
  });

  test("one person's mails are under one key, however the address is spelled", async () => {
    await using rig = await open();
    await rig.startWorker();
    await rig.preferences.change(recipientKey("user@example.com"), { welcome: false });
    for (const to of ["ＵＳＥＲ＠example.com", "\u200bUser@EXAMPLE.com\ufeff"]) {
      await rig.publish({ ...welcomeEvent(), recipient: to });
    }
    await rig.untilDrained();
    expect(rig.sink.accepted).toEqual([]);
    expect(await rig.recentMails.find("user@example.com")).toHaveLength(2);
  });

  describe("an address that a server refused", () => {
    test("with 550 5.1.1 gets no further mail, until it is removed", async () => {
      await using rig = await open();
      await rig.startWorker();
      const does = { kind: "reply", text: "550 5.1.1 <ana@example.com> no such user" } as const;
      rig.sink.misbehave({ at: "rcpt", does, times: 1 });
      const mails = [codeEvent({ recipient }), codeEvent({ recipient }), codeEvent({ recipient })];
      const [refused, suppressed, healed] = mails;
      for (const event of mails.slice(0, 2)) await rig.publish(event);
      await rig.untilDrained();
      const stateOf = async (event = refused) =>
        (await rig.ledger.find(event?.messageId ?? ""))?.state;
      expect([await stateOf(refused), await stateOf(suppressed)]).toEqual([
        "rejected",
        "suppressed",
      ]);
      expect(rig.sink.acceptedTotal).toBe(0);
      const entry = (await rig.suppressions.find([key])).get(key);
      expect(entry).toMatchObject({ address: recipient, reason: "bounced" });
      expect(entry?.note).not.toContain(recipient);
      expect(await rig.suppressions.remove(key)).toBe(true);
      if (healed !== undefined) await rig.publish(healed);
      await rig.untilDrained();
      expect(await stateOf(healed)).toBe("accepted");
    });

    test("gets no code by the direct path either, and whoever asks is told nothing", async () => {
      await using rig = await open();
      const entry = { key, address: recipient, reason: "bounced", note: undefined } as const;
      await rig.suppressions.add([{ ...entry, createdAt: Date.now(), expiresAt: undefined }]);
      const direct = new DirectDelivery({ ...rig, clock: systemClock, log: silentLog });
      expect(await direct.deliver(codeEvent({ recipient }))).toBe("delivered");
      expect(rig.sink.acceptedTotal).toBe(0);
    });

    test.each([
      ["rcpt", "550 mailbox unavailable"],
      ["rcpt", "550 5.1.1 mailbox temporarily disabled"],
      ["rcpt", "550 5.7.1 not by our policy"],
      ["dot", "550 5.1.1 after the content"],
    ] as const)("at %s with %s is not suppressed", async (at, text) => {
      await using rig = await open();
      await rig.startWorker();
      rig.sink.misbehave({ at, does: { kind: "reply", text }, times: 1 });
      const next = codeEvent({ recipient });
      await rig.publish(codeEvent({ recipient }));
      await rig.publish(next);
      await rig.untilDrained();
      expect(rig.sink.accepted.map(({ messageId }) => messageId)).toEqual([next.messageId]);
    });
  });
}
