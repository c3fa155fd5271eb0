import { describe, expect, test } from "bun:test";
import { messageIdHeader } from "../../src/email/mailer/mailer.ts";
import type { MimeMessage } from "../../src/email/mailer/smtp/mime.ts";
import { composeMime, signDkim } from "../../src/email/mailer/smtp/mime.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import { testDkim, verifyDkim } from "../support/dkim.ts";

const message: MimeMessage = {
  from: { address: "noreply@example.com", name: "Example" },
  to: "ana@example.org",
  subject: "Your code",
  messageId: "<m1@example.com>",
  date: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
  text: "Your code is 123456.\n",
  html: "<p>123456</p>\n",
  headers: {},
};
const compose = (over: Partial<MimeMessage>) =>
  composeMime({ ...message, ...over }).toString("utf8");

describe("A composed message", () => {
  test("has the fields that a message needs", () => {
    const { headers } = readMail(compose({}));
    expect(Object.fromEntries(headers)).toMatchObject({
      from: '"Example" <noreply@example.com>',
      to: "ana@example.org",
      subject: "Your code",
      "message-id": "<m1@example.com>",
      date: "Fri, 02 Jan 2026 03:04:05 +0000",
      "mime-version": "1.0",
    });
  });

  test("is plain where plain is enough, and quoted-printable elsewhere", () => {
    expect(compose({}).match(/^Content-Transfer-Encoding: .*$/gm)).toEqual([
      "Content-Transfer-Encoding: 7bit",
      "Content-Transfer-Encoding: 7bit",
    ]);
    expect(compose({ text: "ü", html: "x".repeat(999) }).match(/quoted-printable/g)?.length).toBe(
      2,
    );
  });

  test("has no bare line ends and no line over 998 bytes, whatever it is made of", () => {
    const text = `a\rb\nc\r\n${"y".repeat(5_000)}\n${"ü ".repeat(1_000)}`;
    const data = compose({ text, html: `${"z ".repeat(800)}\n\n`, subject: "ü".repeat(300) });
    expect(data.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    expect(Math.max(...data.split("\r\n").map((line) => Buffer.byteLength(line)))).toBeLessThan(
      999,
    );
  });

  test("names the sender in any script, with any signs", () => {
    const nameOf = (name: string) =>
      readMail(compose({ from: { address: "a@b.example", name } })).headers.get("from");
    expect(nameOf('Say "hi", Inc. \\')).toBe('"Say \\"hi\\", Inc. \\\\" <a@b.example>');
    expect(nameOf("Müller & Söhne")).toBe("Müller & Söhne <a@b.example>");
    expect(nameOf("")).toBe("a@b.example");
  });

  test("lets no value start a field of its own", () => {
    const evil = "x\r\nBcc: eve@example.com";
    const data = compose({ subject: evil, from: { address: "a@b.example", name: evil } });
    expect(readMail(data).headers.has("bcc")).toBe(false);
  });

  test("refuses a further field that is none", () => {
    expect(() => compose({ headers: { "X-A": "1\r\nBcc: eve@example.com" } })).toThrow("X-A");
    expect(() => compose({ headers: { "X A": "1" } })).toThrow("not a header field");
  });
});

describe("The header", () => {
  const long = "A name of many words, which are all that it takes to fill more than one line of it";
  const headOf = (over: Partial<MimeMessage>) => compose(over).split("\r\n\r\n")[0] ?? "";
  const longest = (head: string) => Math.max(...head.split("\r\n").map((line) => line.length));

  test("has lines of at most 78 characters, whatever it says, and reads as it was meant", () => {
    const samples: Partial<MimeMessage>[] = [
      { subject: `${long} ${long}` },
      { subject: "x".repeat(3_000) },
      { subject: `a   b${" ".repeat(90)}${long}` },
      { subject: "Код 123456 подтверждения ".repeat(9).trim() },
      { subject: "not =?UTF-8?Q?encoded?= at all" },
      { from: { address: "noreply@example.com", name: long } },
      { from: { address: "noreply@example.com", name: "y".repeat(100) } },
      { from: { address: "noreply@example.com", name: `"${long}" \\ Söhne` } },
      { headers: { "X-Words": `${long} ${long}` } },
    ];
    for (const sample of samples) {
      const head = headOf(sample);
      expect(longest(head)).toBeLessThanOrEqual(78);
      expect(head).not.toMatch(/\r\n[ \t]*(?:\r\n|$)/); // RFC 5322, 3.2.2: no line of white space
      const { headers } = readMail(`${head}\r\n\r\n`);
      if (sample.subject !== undefined) expect(headers.get("subject")).toBe(sample.subject);
      const words = sample.headers?.["X-Words"];
      if (words !== undefined) expect(headers.get("x-words")).toBe(words);
    }
  });

  test("puts what cannot be folded on a line of its own, whole", () => {
    const url = `<https://example.com/unsubscribe/${"t".repeat(400)}>`;
    const messageId = `<${"m".repeat(128)}@${"d".repeat(60)}.example.com>`;
    const head = headOf({ messageId, headers: { "List-Unsubscribe": url } });
    expect(head).toContain(`List-Unsubscribe:\r\n ${url}\r\n`);
    expect(head).toContain(`Message-ID:\r\n ${messageId}\r\n`);
    expect(longest(head)).toBeLessThan(998);
  });
});

describe("The Message-ID", () => {
  test("is the message_id at the sender's domain", () => {
    expect(messageIdHeader("0190c1a2-7d43", "noreply@mail.example.com")).toBe(
      "<0190c1a2-7d43@mail.example.com>",
    );
  });

  test("is well-formed and different for every message_id", () => {
    const ids = ["a.b", "a..b", ".ab", "ab.", ".", "..", "a-b", "a_b", "ab"];
    const headers = ids.map((id) => messageIdHeader(id, "n@x.example"));
    expect(new Set(headers).size).toBe(ids.length);
    for (const header of headers) {
      expect(header).toMatch(/^<[\w=-]+(?:\.[\w=-]+)*@x\.example>$/);
    }
  });
});

const richMessage: MimeMessage = {
  ...message,
  from: { address: "noreply@example.com", name: "Bücher & Söhne" },
  subject: "Ihr Anmelde-Code für das Konto „Überraschung“ – gültig für zehn Minuten 🙂",
  text: "Two  spaces, an end with one \n\nand empty lines.\n\n\n",
  html: "<p>ü</p>\n",
};
const unsubscribe = {
  "List-Unsubscribe": `<https://example.com/unsubscribe/${"t".repeat(400)}>`,
  "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
};
const sign = (over: Partial<MimeMessage> = {}) =>
  signDkim(composeMime({ ...richMessage, ...over }), testDkim);

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
    const other = (await signDkim(composeMime(richMessage), far)).toString("latin1");
    expect(other.split("\r\n\r\n")[0]).not.toMatch(/[^\r\n]{200}/);
  });

  test("has the message unchanged behind the signature, and no line over 998 bytes", async () => {
    const composed = composeMime(richMessage);
    const signed = await signDkim(composed, testDkim);
    expect(signed.subarray(-composed.length).equals(composed)).toBe(true);
    const lines = signed.toString("latin1").split("\r\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(999);
  });

  test("is signed beside the event loop: many at once do not hold it", async () => {
    const composed = composeMime(richMessage);
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
