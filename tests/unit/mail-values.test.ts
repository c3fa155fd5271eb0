import { describe, expect, test } from "bun:test";
import { decodeEmailEvent } from "../../src/email/event.ts";
import { htmlLinks, htmlOutline, htmlText } from "../support/html-outline.ts";
import { everySample, mailEvent, openRenderer, renderData, sentAt } from "../support/mails.ts";
import { SeededRandom } from "../support/seeded-random.ts";

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
  for (const bad of [
    "http://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://a b.c",
    " https://a.b",
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

  test("addresses of 320 bytes", () => {
    const label = "d".repeat(61);
    const recipient = `${"a".repeat(64)}@${label}.${label}.${label}.${"e".repeat(60)}.com`;
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
