import { describe, expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { remainingWords } from "../../src/email/templates/remaining.ts";
import { renderMail } from "../../src/email/templates/render.ts";

const now = Date.UTC(2026, 0, 1);
const context = { appName: "Acme <& Co>", now };
const fields = { messageId: "m", timestamp: now, recipient: "a@b.co" };

const code: EmailEvent = {
  ...fields,
  eventType: "verification_code",
  data: { code: "402817", expires_in: "10m" },
  expiresAt: now + 600_000,
};

describe("a verification code mail", () => {
  const mail = renderMail(code, context);

  test("shows the code in its text and its HTML, and not in its subject", () => {
    expect(mail.text).toContain("402817");
    expect(mail.html).toContain("402817");
    expect(mail.subject).not.toContain("402817");
  });

  test("says the validity that is left when it is sent", () => {
    expect(mail.text).toContain("valid for 10 minutes");
    expect(renderMail(code, { ...context, now: now + 200_000 }).text).toContain("6 minutes");
  });

  test("says what it is for", () => {
    const data = { ...code.data, purpose: "delete_account" as const };
    expect(renderMail({ ...code, data }, context).subject).toContain("deletion");
  });
});

test("HTML in the name of the app or of a person is text in the mail", () => {
  const welcome: EmailEvent = {
    ...fields,
    eventType: "welcome",
    data: { username: "<script>alert(1)</script>" },
    expiresAt: undefined,
  };
  const { html } = renderMail(welcome, context);
  expect(html).not.toContain("<script>");
  expect(html).toContain("Acme &lt;&amp; Co&gt;");
});

test("a reset mail leads to the link it was given", () => {
  const reset: EmailEvent = {
    ...fields,
    eventType: "password_reset",
    data: { reset_link: "https://acme.example/reset?a=1&b=2", expires_in: "1h" },
    expiresAt: now + 3_600_000,
  };
  const { html, text } = renderMail(reset, context);
  expect(html).toContain('href="https://acme.example/reset?a=1&amp;b=2"');
  expect(text).toContain("https://acme.example/reset?a=1&b=2");
  expect(text).toContain("60 minutes");
});

test.each([
  [600_000, "10 minutes"],
  [599_000, "10 minutes"],
  [590_000, "9 minutes"],
  [119_000, "2 minutes"],
  [60_000, "65 seconds"],
  [7_200_000, "2 hours"],
  [172_800_000, "2 days"],
  [-60_000, "a moment"],
])("%d ms left read %p", (leftMs, words) => {
  expect(remainingWords(now + leftMs, now)).toBe(words);
});
