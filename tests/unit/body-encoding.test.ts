import { expect, test } from "bun:test";
import { languageTags } from "../../src/core/languages.ts";
import { composeMessage } from "../../src/email/delivery/submission.ts";
import type { MailBody } from "../../src/email/mailer/mailer.ts";
import { encodeBody } from "../../src/email/mailer/smtp/body-encoding.ts";
import { composeMime } from "../../src/email/mailer/smtp/mime.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { everySample, mailEvent, openRenderer, unsubscribeUrl } from "../support/mails.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const seed = Number(process.env["TEST_SEED"] ?? 14);

function textOf({ pieces, values }: MailBody): string {
  return pieces.map((piece, at) => piece + (values[at] ?? "")).join("");
}

function encode(body: MailBody, dotStuffed: boolean) {
  const { encoding, chunks } = encodeBody(body, dotStuffed);
  return { encoding, content: chunks.map(String).join("") };
}

/** As a mail program decodes it. */
function decode(encoding: string, content: string): string {
  if (encoding === "7bit") return content;
  const bytes = content
    .replaceAll("=\r\n", "")
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function randomText(random: SeededRandom, partsMax: number): string {
  const long = random.chance(0.05) ? ["x".repeat(900), "=".repeat(80)] : ["y"];
  const parts = ["\n", "\r\n", ".", " ", "\t", "=", "a", "word ", "ü", "🙂", "=3D", ...long];
  return Array.from({ length: random.below(partsMax) }, () => random.pick(parts)).join("");
}

test("whatever a body is made of, it is decoded to the same, in lines that may be sent", () => {
  const random = new SeededRandom(seed);
  const encodings = new Set<string>();
  for (let count = 0; count < 3_000; count += 1) {
    const plain = random.chance(0.5);
    const text = () => {
      const any = randomText(random, 40);
      return plain ? any.replace(/[^\t\n -~]/g, "") : any;
    };
    const pieces = Array.from({ length: random.below(5) + 1 }, text);
    for (let mail = 0; mail < 3; mail += 1) {
      const values = pieces.slice(1).map(() => randomText(random, 6));
      const body = { pieces, values };
      const { encoding, content } = encode(body, false);
      const stuffed = encode(body, true);
      encodings.add(encoding);
      const wanted = textOf({
        pieces: pieces.map((piece) => piece.replace(/\r\n?/g, "\n")),
        values: values.map((value) => value.replace(/\r\n?/g, "\n")),
      });
      expect(decode(encoding, content).replaceAll("\r\n", "\n")).toBe(wanted);
      expect(stuffed.encoding).toBe(encoding);
      expect(stuffed.content.replace(/^\.\./gm, ".")).toBe(content);
      expect(stuffed.content).not.toMatch(/(?:^|\n)\.(?!\.)/);
      const lines = content.split("\r\n");
      expect(lines.join("")).not.toMatch(/[\r\n]/);
      expect(lines.join("")).toMatch(/^[\t -~]*$/);
      const longest = Math.max(...lines.map(({ length }) => length));
      expect(longest).toBeLessThanOrEqual(encoding === "7bit" ? 998 : 76);
      if (encoding === "quoted-printable") expect(content).not.toMatch(/[\t ]\r\n|[\t ]$/);
    }
  }
  expect(encodings.size).toBe(2);
});

test.each(everySample)(
  "a %s (%s) of pieces and values arrives as it was written",
  (type, _, data) => {
    const render = openRenderer();
    const deps = {
      clock: new FakeClock(),
      unsubscribeLink: () => unsubscribeUrl,
      feedbackSender: "acme-mails",
      render,
    };
    for (const locale of languageTags) {
      const mail = composeMessage(
        deps,
        mailEvent(type, { ...data, locale }, "o'hara&co@example.com"),
      );
      expect(mail.bodies).toBeDefined();
      const fields = {
        from: { address: "a@b.example", name: undefined },
        messageId: "<m@b.example>",
      };
      const message = { ...mail, ...fields, date: new Date(0), headers: {} };
      const read = readMail(composeMime(message).toString());
      const wanted = readMail(composeMime({ ...message, bodies: undefined }).toString());
      expect([read.text, read.html]).toEqual([wanted.text, wanted.html]);
      expect(read.html.replaceAll("\r\n", "\n").trimEnd()).toBe(mail.html.trimEnd());
      expect(read.text.replaceAll("\r\n", "\n").trimEnd()).toBe(mail.text.trimEnd());
    }
  },
);
