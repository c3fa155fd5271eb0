import { describe, expect, test } from "bun:test";
import { decodeEmailEvent } from "../../src/email/event.ts";
import type { EventType } from "../../src/email/mails/mail-types.tsx";
import { languageTags } from "../../src/email/templates/languages.ts";
import { htmlLinks, htmlText } from "../support/html-outline.ts";
import { everySample, mailEvent, openRenderer, renderData, sentAt } from "../support/mails.ts";

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
    expect(words(text).replaceAll(":", "")).toBe(words(html).replaceAll(":", ""));
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
    if (locale === "en") expect(mail.text).toMatch(/You didn't ask for this\?|It wasn't you\?/);
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
    expect(textAt(sentAt + 610_000)).toContain("valid for a moment");
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
    ["de", "es", "es"],
    ["de-AT", "ru-RU", "ru"],
    ["de", "fr", "en-GB"],
    [undefined, "es", "es"],
    [undefined, "en", "en-GB"],
  ])("of an event in %s is, with EMAIL_LOCALE=%s, %s", (locale, fallbackLocale, language) => {
    const mail = renderData("verification_code", { ...code, locale }, { fallbackLocale });
    expect(mail.html).toContain(`<html lang="${language}" dir="ltr">`);
  });

  test.each([
    ["ru", 120_000, "2 минуты"],
    ["ru", 300_000, "5 минут"],
    ["ru", 21 * 60_000, "21 минута"],
    ["es", 120_000, "2 minutos"],
    ["en", 7_200_000, "2 hours"],
    ["en", 172_800_000, "2 days"],
  ])("has its own plurals: %s, %d ms are %s", (locale, lifetimeMs, words) => {
    const data = { ...code, expires_in: `${lifetimeMs / 1000}s`, locale };
    expect(renderData("verification_code", data).text).toContain(`${words}`);
  });

  test.each([
    ["en", "31 January 2026 at 12:00 UTC"],
    ["es", "31 de enero de 2026 a las 12:00 UTC"],
    ["ru", "31 января 2026 г. в 12:00 UTC"],
  ])("has its own times: %s, %s", (locale, words) => {
    const data = { signed_in_at: "2026-01-31T13:00:00+01:00", locale };
    expect(renderData("sign_in_notice", data).text).toContain(words);
  });
});

test("only an optional mail has a way to get no more of them", () => {
  const unsubscribable = everyMail.filter(([, , , mail]) => mail.html.includes("/unsubscribe/"));
  const types = new Set<EventType>(unsubscribable.map(([type]) => type));
  expect([...types]).toEqual(["welcome", "sign_in_notice"]);
  expect(
    openRenderer()(mailEvent("welcome", { username: "ana" }), { now: sentAt }).text,
  ).not.toContain("Get no more");
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
