import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { goldenDirectory, renderGoldenMails } from "../../scripts/documents/write.ts";
import { languageTags } from "../../src/core/languages.ts";
import { decodeEmailEvent } from "../../src/email/event.ts";
import type { EventType } from "../../src/email/mails/mail-types.tsx";
import {
  everySample,
  htmlLinks,
  htmlOutline,
  htmlText,
  mailEvent,
  openRenderer,
  renderData,
  sentAt,
} from "../support/mails.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const everyMail = everySample.flatMap(([type, name, data]) =>
  languageTags.map(
    (locale) => [type, name, locale, renderData(type, { ...data, locale })] as const,
  ),
);
const code = { code: "402817", expires_in: "10m" };

describe.each(everyMail)("%s (%s) in %s", (_type, _name, locale, mail) => {
  test("has the same words in its text part as in its HTML", () => {
    const html = htmlText(mail.html);
    const links = new Set(htmlLinks(mail.html));
    const words = (all: string[]) => all.filter((word) => !links.has(word)).join(" ");
    const text = mail.text.split(/\s+/).filter(Boolean);
    const withoutColons = (all: string) => all.replaceAll(/\s?[:：]/g, "");
    expect(withoutColons(words(text))).toBe(withoutColons(words(html)));
  });

  test("leads in its text where it leads in its HTML, by https alone", () => {
    const links = [...new Set(htmlLinks(mail.html))];
    expect([...mail.text.matchAll(/https?:\S+/g)].map(([link]) => link)).toEqual(links);
    expect(links.filter((link) => !link.startsWith("https://"))).toEqual([]);
  });

  test("is small, and asks for nothing from elsewhere", () => {
    expect(Buffer.byteLength(mail.html)).toBeLessThan(30_000);
    expect(mail.html).not.toMatch(/<(?:img|link|script|iframe|form)|url\(|@import/);
    expect(Math.max(...mail.html.split("\n").map(({ length }) => length))).toBeLessThan(998);
  });

  test("has a subject of its language, a preheader and no gap", () => {
    expect(mail.subject).toMatch(/^\S.{5,80}\S$/);
    expect(`${mail.subject}${mail.text}${mail.html}`).not.toMatch(
      /undefined|null|NaN|[\uFDD0\uFDD1]/,
    );
    expect(mail.html).toMatch(/<div aria-hidden="true"[^>]*>[^<]{20,}/);
    if (locale === "en") expect(mail.text).toMatch(/If (?:you didn't|it wasn't)/);
  });
});

describe("a verification code mail", () => {
  test("shows the code in one piece, in its text and its HTML, and not in its subject", () => {
    const mail = renderData("verification_code", code);
    expect(mail.text).toContain("\n402817\n");
    expect(mail.html).toMatch(/<td class="code"[^>]*>402817<\/td>/);
    expect(mail.subject).toBe("Your sign-in code for Acme");
  });

  test("has it in the subject where that is wanted", () => {
    const { subject } = renderData("verification_code", code, { codeInSubject: true });
    expect(subject).toBe("402817: Your sign-in code for Acme");
  });

  test("says the validity that is left when it is sent", () => {
    const event = mailEvent("verification_code", code);
    const textAt = (now: number) => openRenderer()(event, { now }).text;
    expect(textAt(sentAt)).toContain("valid for 10 minutes");
    expect(textAt(sentAt + 200_000)).toContain("valid for 6 minutes");
    expect(textAt(sentAt + 595_000)).toContain("valid for 10 seconds");
    expect(textAt(sentAt + 610_000)).toContain("valid for a few seconds");
  });

  test("says what it is for", () => {
    const data = { ...code, purpose: "delete_account" };
    expect(renderData("verification_code", data).subject).toContain("deletion");
  });
});

describe("the language of a mail", () => {
  test.each([
    ["es", "en", "es"],
    ["es-MX", "en", "es"],
    ["ES-mx", "en", "es"],
    ["ru-Cyrl-RU", "en", "ru"],
    ["de-AT", "en", "de"],
    ["pt-PT", "en", "pt-BR"],
    ["ar-EG", "en", "ar"],
    ["nl", "es", "es"],
    ["nl-BE", "ru-RU", "ru"],
    ["nl", "it", "en-GB"],
    [undefined, "es", "es"],
    [undefined, "en", "en-GB"],
  ])("of an event in %s is, with EMAIL_LOCALE=%s, %s", (locale, fallbackLocale, language) => {
    const mail = renderData("verification_code", { ...code, locale }, { fallbackLocale });
    const direction = language === "ar" ? "rtl" : "ltr";
    expect(mail.html).toContain(`<html lang="${language}" dir="${direction}">`);
  });

  test.each([
    ["ru", 120_000, "2 минуты"],
    ["ru", 300_000, "5 минут"],
    ["ru", 21 * 60_000, "21 минута"],
    ["es", 120_000, "2 minutos"],
    ["en", 7_200_000, "2 hours"],
    ["en", 172_800_000, "2 days"],
    ["de", 172_800_000, "2 Tage"],
    ["fr", 120_000, "2 minutes"],
    ["pt", 7_200_000, "2 horas"],
    ["ar", 120_000, "دقيقتان"],
    ["ar", 300_000, "5 دقائق"],
    ["ar", 900_000, "15 دقيقة"],
    ["ja", 600_000, "10分"],
  ])("has its own plurals: %s, %d ms are %s", (locale, lifetimeMs, words) => {
    const data = { ...code, expires_in: `${lifetimeMs / 1000}s`, locale };
    expect(renderData("verification_code", data).text).toContain(`${words}`);
  });

  test.each([
    ["en", "31 January 2026 at 12:00 UTC"],
    ["es", "31 de enero de 2026 a las 12:00 UTC"],
    ["ru", "31 января 2026 г. в 12:00 UTC"],
    ["de", "31. Januar 2026 um 12:00 UTC"],
    ["fr", "31 janvier 2026 à 12:00 UTC"],
    ["pt", "31 de janeiro de 2026 às 12:00 UTC"],
    ["ar", "31 يناير 2026"],
    ["ja", "2026年1月31日 12:00 UTC"],
  ])("has its own times: %s, %s", (locale, words) => {
    const data = { signed_in_at: "2026-01-31T13:00:00+01:00", locale };
    expect(renderData("sign_in_notice", data).text).toContain(words);
  });
});

test("only an optional mail has an unsubscribe link", () => {
  const unsubscribable = everyMail.filter(([, , , mail]) => mail.html.includes("/unsubscribe/"));
  const types = new Set<EventType>(unsubscribable.map(([type]) => type));
  expect([...types]).toEqual(["welcome"]);
  expect(
    openRenderer()(mailEvent("welcome", { username: "ana" }), { now: sentAt }).text,
  ).not.toContain("Unsubscribe");
});

test("every field of every type refuses what would begin a line of its own", () => {
  for (const [type, , data] of everySample) {
    for (const [field, value] of Object.entries(data)) {
      for (const bad of ["\r\nBcc: eve@example.com", "\n", "\r", "\u0000", "\u0085", "\u001b"]) {
        const wire = { message_id: "m", event_type: type, timestamp: "2026-01-31T12:00:00Z" };
        const event = {
          ...wire,
          recipient: "a@b.co",
          data: { ...data, [field]: `${value}${bad}` },
        };
        const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(event)));
        expect(decoded).toMatchObject({ kind: "poison", class: "invalid_data" });
        expect(decoded).toHaveProperty("reason", expect.stringContaining(`data.${field} `));
      }
    }
  }
});

const hostile = [
  "<script>alert(1)</script>",
  "</title><img src=x onerror=alert(1)>",
  '"><a href="https://evil.example">',
  "' style='display:none",
  "<!--",
  "]]>",
  "&lt;b&gt;",
  "&#60;b&#62;",
  "{{username}}",
  "{{{code}}}",
  "$" + "{appName}",
  "$&$1$`",
  "\uFDD00\uFDD1",
  "javascript:alert(1)",
  "`",
  "=",
  "\u2028",
  "\ud800",
  "\u202e",
  "\u2069",
];

const link = "https://example.com/account";

/** Each field that takes free text, beside data that are well. */
const freeFields = [
  ["welcome", "username", {}],
  ["sign_in_notice", "device", { signed_in_at: "2026-01-31T12:00:00Z", account_link: link }],
  ["email_change", "new_email", { changed_at: "2026-01-31T12:00:00Z" }],
] as const;

describe.each(freeFields)("whatever stands in %s.%s", (type, field, data) => {
  test("no element, attribute or link comes of it", () => {
    const random = new SeededRandom(7);
    const plain = renderData(type, { ...data, [field]: "x" });
    for (let round = 0; round < 300; round += 1) {
      const pick = () => random.pick(hostile) ?? "";
      const value = Array.from({ length: 1 + random.below(4) }, pick)
        .join("")
        .slice(0, 100);
      const { html } = renderData(type, { ...data, [field]: value });
      expect(htmlOutline(html)).toEqual(htmlOutline(plain.html));
      expect(htmlLinks(html)).toEqual(htmlLinks(plain.html));
    }
  });

  test("a reader sees it as it was written", () => {
    const value = `Zoë <b> & "Söhne" {{x}} 👩‍👩‍👧`;
    const mail = renderData(type, { ...data, [field]: value });
    expect(htmlText(mail.html).join(" ")).toContain(value);
    expect(mail.text).toContain(value);
  });
});

test("HTML in the name of the app is text in the mail, and its marks are no gaps", () => {
  const appName = "Acme <& Co> \uFDD00\uFDD1";
  const { html, subject } = renderData("welcome", { username: "ana" }, { appName });
  expect(html).toContain("Acme &lt;&amp; Co&gt; 0");
  expect(subject).toBe("Welcome to Acme <& Co> 0");
});

test("a link is taken only when it is safe, and leads where it was meant to", () => {
  const reset = (reset_link: string) => renderData("password_reset", { reset_link });
  const mail = reset("https://acme.example/reset?a=1&b='2'");
  expect(htmlLinks(mail.html)).toContain("https://acme.example/reset?a=1&b='2'");
  expect(mail.text).toContain("https://acme.example/reset?a=1&b='2'");
  reset("http://localhost:8080/reset");
  reset("https://acme.example/@ana?back=a@b.example#@");
  for (const bad of [
    "http://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://a b.c",
    " https://a.b",
    "https://acme.example@evil.example/reset",
    "https://acme.example:secret@evil.example/reset",
    "https://@evil.example",
    "https://acme.example\\@evil.example",
    "https:\\\\evil.example",
    "https:acme.example@evil.example",
    "https:///evil.example",
    "http://evil.example@localhost",
  ]) {
    expect(() => reset(bad)).toThrow("data.reset_link must be an https link");
  }
});

describe("mails take", () => {
  test("names of 100 characters", () => {
    const username = "ж".repeat(100);
    expect(renderData("welcome", { username }).text).toContain(username);
    expect(() => renderData("welcome", { username: `${username}ж` })).toThrow("data.username");
  });

  test("names that run from right to left, kept from turning the words around them", () => {
    for (const username of ["שלום 123", "محمد"]) {
      const { html, text } = renderData("welcome", { username });
      expect(text).toContain(`Welcome, \u2068${username}\u2069\n`);
      expect(html).toContain(`Welcome, \u2068${username}\u2069</h1>`);
    }
    const { text } = renderData("welcome", { username: "\u202eevil\u2066 \u2069ana" });
    expect(text).toContain("Welcome, evil ana\n");
  });

  test("the longest addresses", () => {
    const label = "d".repeat(61);
    const recipient = `${"a".repeat(64)}@${label}.${label}.${"e".repeat(61)}.com`; // 254 bytes
    const event = mailEvent("welcome", { username: "ana" }, recipient);
    const mail = openRenderer()(event, { now: sentAt });
    expect(mail.text).toContain(recipient);
    const newEmail = `${"a".repeat(64)}@${"b".repeat(255)}`;
    const changed = { new_email: newEmail, changed_at: "2026-01-31T12:00:00Z" };
    expect(renderData("email_change", changed).html).toContain(newEmail);
  });
});

test("bad data are a poison that names the field and not its value", () => {
  for (const [type, , data] of everySample) {
    for (const field of Object.keys(data)) {
      const wire = { message_id: "m", event_type: type, timestamp: "2026-01-31T12:00:00Z" };
      const event = { ...wire, recipient: "a@b.co", data: { ...data, [field]: 98_765 } };
      const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(event)));
      expect(decoded).toMatchObject({ kind: "poison", class: "invalid_data" });
      expect(decoded).toHaveProperty("reason", expect.stringContaining(`data.${field} `));
      expect(decoded).not.toHaveProperty("reason", expect.stringContaining("98"));
    }
  }
});

const goldenMails = renderGoldenMails();

test("there is a golden file for every mail, and no other (else run scripts/document)", () => {
  expect(readdirSync(goldenDirectory).toSorted()).toEqual([...goldenMails.keys()].toSorted());
});

test.each([...goldenMails])(
  "%s reads as its golden file (else run scripts/document)",
  (name, mail) => {
    expect(readFileSync(join(goldenDirectory, name), "utf8")).toBe(mail);
  },
);
