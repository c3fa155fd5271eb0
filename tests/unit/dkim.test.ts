import { describe, expect, test } from "bun:test";
import { signDkim } from "../../src/email/mailer/smtp/dkim.ts";
import type { MimeMessage } from "../../src/email/mailer/smtp/mime.ts";
import { composeMime } from "../../src/email/mailer/smtp/mime.ts";
import { testDkim, verifyDkim } from "../support/dkim.ts";

const message: MimeMessage = {
  from: { address: "noreply@example.com", name: "Bücher & Söhne" },
  to: "ana@example.org",
  subject: "Ihr Anmelde-Code für das Konto „Überraschung“ – gültig für zehn Minuten 🙂",
  messageId: "<m1@example.com>",
  date: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
  text: "Two  spaces, an end with one \n\nand empty lines.\n\n\n",
  html: "<p>ü</p>\n",
  headers: {},
};
const unsubscribe = {
  "List-Unsubscribe": `<https://example.com/unsubscribe/${"t".repeat(400)}>`,
  "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
};
const sign = (over: Partial<MimeMessage> = {}) =>
  signDkim(composeMime({ ...message, ...over }), testDkim);

describe("A signed message", () => {
  const bodies = [
    "",
    "\n",
    " \n\t\n",
    ".\n..\n",
    "no end",
    "x".repeat(3_000),
    "a \t b\n".repeat(50),
  ];
  for (const text of bodies) {
    test(`passes an independent verifier, with the text ${JSON.stringify(text.slice(0, 9))}`, async () => {
      const verified = await verifyDkim(await sign({ text }));
      expect(verified).toMatchObject([{ result: "pass", domain: "example.com" }]);
    });
  }

  test("has all that matters inside the signature, the unsubscribe fields too", async () => {
    const [verified] = await verifyDkim(await sign({ headers: unsubscribe }));
    expect(verified?.result).toBe("pass");
    expect(verified?.fields.toSorted()).toEqual([
      "content-type",
      "date",
      "from",
      "list-unsubscribe",
      "list-unsubscribe-post",
      "message-id",
      "mime-version",
      "subject",
      "to",
    ]);
  });

  test("passes with an address in the header that is UTF-8", async () => {
    expect(await verifyDkim(await sign({ to: "jörg@example.org" }))).toMatchObject([
      { result: "pass" },
    ]);
  });

  test("passes without the provider's own field, which is not signed", async () => {
    const signed = (await sign({ headers: { "X-Provider-Key": "m1" } })).toString();
    const taken = signed.replace("X-Provider-Key: m1\r\n", "");
    expect(taken).not.toBe(signed);
    expect(await verifyDkim(taken)).toMatchObject([{ result: "pass" }]);
  });

  const changes = {
    "another code": ["<p>", "<b>"],
    "another subject": ["Subject: ", "Subject: Re "],
    "another recipient": ["ana@", "eve@"],
    "another Message-ID": ["<m1@", "<m2@"],
    "another link to unsubscribe": ["/unsubscribe/", "/subscribe/"],
    "no one-click": ["List-Unsubscribe=One-Click", "none"],
  } as const;
  for (const [name, [from, to]] of Object.entries(changes)) {
    test(`fails once it has ${name}`, async () => {
      const signed = (await sign({ headers: unsubscribe })).toString();
      const changed = signed.replace(from, to);
      expect(changed).not.toBe(signed);
      const [verified] = await verifyDkim(changed);
      expect(verified?.result).not.toBe("pass");
    });
  }

  test("passes with every field folded, and has itself no line over 78 characters", async () => {
    const headers = {
      ...unsubscribe,
      "Auto-Submitted": "auto-generated",
      "Feedback-ID": "verification_code:required:instant:acme-mails",
    };
    const messageId = `<${"m".repeat(128)}@example.com>`;
    const from = { address: "noreply@example.com", name: "One Name of Many Words ".repeat(4) };
    const signed = await sign({ headers, messageId, from });
    expect(await verifyDkim(signed)).toMatchObject([{ result: "pass" }]);
    expect((await verifyDkim(signed))[0]?.fields).toContain("feedback-id");
    const own = signed.toString("latin1").split(/\r\n(?![ \t])/)[0] ?? "";
    expect(own).toStartWith("DKIM-Signature:");
    for (const line of own.split("\r\n")) expect(line.length).toBeLessThanOrEqual(78);
    const { domain } = testDkim;
    const far = { ...testDkim, domain: `${"d".repeat(60)}.${"e".repeat(60)}.${domain}` };
    const other = (await signDkim(composeMime(message), far)).toString("latin1");
    expect(other.split("\r\n\r\n")[0]).not.toMatch(/[^\r\n]{200}/);
  });

  test("has the message unchanged behind the signature, and no line over 998 bytes", async () => {
    const composed = composeMime(message);
    const signed = await signDkim(composed, testDkim);
    expect(signed.subarray(-composed.length).equals(composed)).toBe(true);
    const lines = signed.toString("latin1").split("\r\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(999);
  });

  test("is signed beside the event loop: many at once do not hold it", async () => {
    const composed = composeMime(message);
    const startedAt = performance.now();
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await Promise.all(Array.from({ length: 200 }, () => signDkim(composed, testDkim)));
    clearInterval(timer);
    // RSA in the loop would be done in the first turn, before any timer.
    expect(turns).toBeGreaterThan(5);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
