import { describe, expect, test } from "bun:test";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import { testDkim, verifyDkim } from "../support/dkim.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { openSmtpRig } from "../support/smtp-rig.ts";

describe("Mail by SMTP, as providers want it", () => {
  test("is signed with DKIM as it arrives, dots at the start of lines included", async () => {
    await using rig = await openSmtpRig({ dkim: testDkim });
    expect(await rig.send("m1")).toMatchObject({ kind: "accepted" });
    const verified = await verifyDkim(rig.sink.accepted[0]?.data ?? "");
    expect(verified).toMatchObject([{ result: "pass", domain: "example.com" }]);
  });

  test("has the envelope's sender in the envelope, and the other in the header", async () => {
    await using rig = await openSmtpRig({ envelopeFrom: "bounces@mail.example.com" });
    await rig.send("m1");
    const [mail] = rig.sink.accepted;
    expect(mail?.from).toBe("bounces@mail.example.com");
    expect(readMail(mail?.data ?? "").headers.get("from")).toBe("noreply@example.com");
    expect(readMail(mail?.data ?? "").headers.get("message-id")).toBe("<m1@example.com>");
  });

  test("carries the message_id in the provider's field, the same when it is sent again", async () => {
    await using rig = await openSmtpRig({ idempotencyHeader: "Resend-Idempotency-Key" });
    await rig.send("m1");
    await rig.send("m1");
    const keys = rig.sink.accepted.map(({ data }) =>
      readMail(data).headers.get("resend-idempotency-key"),
    );
    expect(keys).toEqual(["m1", "m1"]);
  });

  test("goes out no faster than the rate, over all connections", async () => {
    await using rig = await openSmtpRig({ mailsPerSecondMax: 20, connections: 3 });
    await Promise.all(Array.from({ length: 9 }, (_, index) => rig.send(`m${index}`)));
    const times = rig.sink.accepted.map(({ at }) => at);
    expect(times).toHaveLength(9);
    // 9 mails at 20 a second are 400 ms apart, first to last; the sink's clock counts whole ms.
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(350);
  });

  test("is withheld when it is given up before its turn, and its place is free again", async () => {
    await using rig = await openSmtpRig({ mailsPerSecondMax: 1, connections: 1 });
    expect(await rig.send("m1")).toMatchObject({ kind: "accepted" });
    const abort = new AbortController();
    const waiting = rig.send("m2", { signal: abort.signal });
    abort.abort();
    expect(await waiting).toEqual({ kind: "withheld" });
    expect(rig.sink.acceptedTotal).toBe(1);
  }); // ends only when the mailer closes, which waits for every place
});

describe("An address with letters beyond ASCII before the @", () => {
  const extensions = ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"];

  test("goes out with SMTPUTF8 where the server offers it", async () => {
    await using rig = await openSmtpRig({ dkim: testDkim });
    expect(await rig.send("m1", { to: "jörg@example.com" })).toMatchObject({ kind: "accepted" });
    const [mail] = rig.sink.accepted;
    expect(mail?.to).toEqual(["jörg@example.com"]);
    expect(readMail(mail?.data ?? "").headers.get("to")).toBe("jörg@example.com");
    expect(await verifyDkim(mail?.data ?? "")).toMatchObject([{ result: "pass" }]);
  });

  test("is refused with the reason where it does not, and the next mail goes out", async () => {
    await using rig = await openSmtpRig({ connections: 1 }, { extensions });
    expect(await rig.send("m1", { to: "jörg@example.com" })).toMatchObject({
      kind: "refused",
      code: 553,
      enhancedCode: "5.6.7",
      stage: "recipient",
      reply: expect.stringContaining("SMTPUTF8"),
    });
    expect(await rig.send("m2")).toMatchObject({ kind: "accepted" });
    expect(rig.sink.sessions.opened).toBe(1);
    expect(rig.sink.acceptedTotal).toBe(1);
  });

  test.each([
    ["ana@bücher.example", "ana@xn--bcher-kva.example"],
    ["ana@faß.example", "ana@xn--fa-hia.example"],
    ["ana@例え.テスト", "ana@xn--r8jz45g.xn--zckzah"],
  ])(
    "is not needed for %s: its domain is in ASCII in the envelope and the header",
    async (given, sent) => {
      await using rig = await openSmtpRig({}, { extensions });
      expect(await rig.send("m1", { to: given })).toMatchObject({ kind: "accepted" });
      const [mail] = rig.sink.accepted;
      expect(mail?.to).toEqual([sent]);
      expect(readMail(mail?.data ?? "").headers.get("to")).toBe(sent);
    },
  );

  test("what the server offers is known for ten minutes", async () => {
    const clock = new FakeClock();
    await using without = await openSmtpRig({ clock }, { extensions });
    await using offering = await openSmtpRig({ clock });
    expect(without.mailer.offersUtf8).toBeUndefined();
    await Promise.all([without.send("m1"), offering.send("m1")]);
    expect([without.mailer.offersUtf8, offering.mailer.offersUtf8]).toEqual([false, true]);
    await clock.advance(10 * 60_000);
    expect([without.mailer.offersUtf8, offering.mailer.offersUtf8]).toEqual([undefined, undefined]);
  });

  test("is not needed for a domain beyond ASCII, which is written in ASCII", async () => {
    await using rig = await openSmtpRig({}, { extensions });
    expect(await rig.send("m1", { to: "ana@xn--bcher-kva.example" })).toMatchObject({
      kind: "accepted",
    });
  });
});
