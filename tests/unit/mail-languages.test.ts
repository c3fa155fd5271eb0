import { describe, expect, test } from "bun:test";
import { languages, languageTags, traitsOf } from "../../src/core/languages.ts";
import { mailMessages } from "../../src/email/templates/languages.ts";
import {
  everySample,
  htmlText,
  mailEvent,
  openRenderer,
  renderData,
  sentAt,
} from "../support/mails.ts";

/** U+2068 and U+2069 (UAX 9). */
const isolated = (text: string) => `\u2068${text}\u2069`;

describe.each(everySample)("%s (%s)", (type, _name, data) => {
  test.each([...languageTags])(
    "in %s is in that language, and runs in its direction",
    (language) => {
      const { locale, direction } = traitsOf(language);
      const mail = renderData(type, { ...data, locale: language });
      expect(mail.html).toContain(`<html lang="${locale}" dir="${direction}">`);
      expect(mail.html).toContain(`align="${direction === "rtl" ? "right" : "left"}"`);
      const { sentTo, aMoment } = mailMessages[language];
      const value = direction === "rtl" ? isolated : (text: string) => text;
      const footer = sentTo(value("ana@example.com"), value("Acme"));
      expect(mail.text).toContain(footer);
      expect(htmlText(mail.html).join(" ")).toContain(footer);
      expect(mail.text).not.toContain(aMoment);
      expect(mail.html).not.toContain("letter-spacing:-");
    },
  );
});

describe("a mail from right to left", () => {
  const code = { code: "402817", expires_in: "10m", locale: "ar-EG" };

  test("keeps its code from left to right, alone in its line, and free of marks to be copied", () => {
    const mail = renderData("verification_code", code);
    expect(mail.html).toMatch(/<td class="code"[^>]* dir="ltr"[^>]*>402817<\/td>/);
    expect(mail.text).toContain("\n402817\n");
  });

  test("isolates the name of the app, names and times from the text around them", () => {
    const welcome = renderData(
      "welcome",
      { username: "ana (x)", locale: "ar" },
      { appName: "Acme!" },
    );
    expect(welcome.subject).toBe(`مرحبًا بك في ${isolated("Acme!")}`);
    expect(welcome.text).toContain(`مرحبًا، ${isolated("ana (x)")}\n`);
    const data = { signed_in_at: "2026-01-31T12:00:00Z", device: "curl (8)", locale: "ar" };
    const notice = renderData("sign_in_notice", data);
    expect(notice.text).toContain(`الجهاز: ${isolated("curl (8)")}`);
  });

  test("shows links from left to right, in lines of their own", () => {
    const reset_link = "https://example.com/reset/1/";
    const mail = renderData("password_reset", { reset_link, locale: "ar" });
    expect(mail.html).toMatch(/dir="ltr"[^>]*>https:\/\/example\.com\/reset\/1\/<\/a>/);
    expect(mail.text).toContain(`:\n${reset_link}\n`);
  });
});

test("an address is shown as people write it, and the mail goes to its ASCII form", () => {
  const changed = { new_email: "b***@xn--bcher-kva.de", changed_at: "2026-01-31T12:00:00Z" };
  const event = mailEvent("email_change", changed, "ana@xn--bcher-kva.de");
  const mail = openRenderer()(event, { now: sentAt });
  expect(event.recipient).toBe("ana@xn--bcher-kva.de");
  expect(mail.text).toContain("New address: b***@bücher.de");
  expect(mail.text).toContain("to ana@bücher.de.");
});

test("every language is prepared when it is first asked for, and reads the same from then on", () => {
  const render = openRenderer();
  const inAll = () =>
    languageTags.map((locale) =>
      render(mailEvent("welcome", { username: "ana", locale }), { now: sentAt }),
    );
  const subjects = inAll().map(({ subject }) => subject);
  expect(new Set(subjects).size).toBe(Object.keys(languages).length);
  expect(inAll().map(({ subject }) => subject)).toEqual(subjects);
});
