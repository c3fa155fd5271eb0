import { describe, expect, test } from "bun:test";
import { decodeEmailEvent, encodeEmailEvent, eventKey } from "../../src/email/event.ts";
import { eventDigest } from "../../src/email/ledger/claim-rules.ts";
import { openRenderer } from "../support/mails.ts";

/** The guide's example. */
const wire = {
  message_id: "5f0c6b7e-9f5b-4f0e-a5cf-0d5a4c1f2b3a",
  event_type: "verification_code",
  timestamp: "2026-01-31T12:00:00Z",
  recipient: "a@b.co",
  data: { code: "123456", expires_in: "10m" },
};

const decode = (value: unknown) =>
  decodeEmailEvent(new TextEncoder().encode(JSON.stringify(value)));

function reasonOf(value: unknown): string {
  const decoded = decode(value);
  if (decoded.kind !== "poison") throw new Error("it is an event");
  return `${decoded.class}: ${decoded.reason}`;
}

function eventOf(value: unknown) {
  const decoded = decode(value);
  if (decoded.kind !== "event") throw new Error(decoded.reason);
  return decoded.event;
}

describe("an e-mail event", () => {
  test("dies at its timestamp plus expires_in", () => {
    expect(eventOf(wire).expiresAt).toBe(Date.UTC(2026, 0, 31, 12, 10));
  });

  test("dies at expires_at when it has one", () => {
    const event = eventOf({ ...wire, expires_at: "2026-01-31T12:01:00+00:00" });
    expect(event.expiresAt).toBe(Date.UTC(2026, 0, 31, 12, 1));
  });

  test("without either never dies", () => {
    const event = eventOf({ ...wire, event_type: "welcome", data: { username: "ana" } });
    expect(event.expiresAt).toBeUndefined();
  });

  test("takes the nanoseconds of a Go timestamp", () => {
    const event = eventOf({ ...wire, timestamp: "2026-01-31T12:00:00.123456789+01:00" });
    expect(event.timestamp).toBe(Date.UTC(2026, 0, 31, 11, 0, 0, 123));
  });

  test("ignores fields it does not know", () => {
    const event = eventOf({ ...wire, trace: 1, data: { ...wire.data, extra: "x" } });
    expect(event.data).toEqual(wire.data);
  });

  test("survives encoding and decoding", () => {
    const event = eventOf({ ...wire, expires_at: "2026-01-31T13:00:00Z" });
    const decoded = decodeEmailEvent(encodeEmailEvent(event));
    expect(decoded).toEqual({ kind: "event", event });
  });

  test("is keyed by its recipient in lower case", () => {
    const event = eventOf({ ...wire, recipient: "Ana@Example.com" });
    expect(Buffer.from(eventKey(event)).toString()).toBe("ana@example.com");
  });

  test("is sent to the address as written, with its domain in ASCII", () => {
    expect(eventOf({ ...wire, recipient: "Ana@Bücher.example" }).recipient).toBe(
      "Ana@xn--bcher-kva.example",
    );
  });
});

describe("what serialisers write", () => {
  const withData = (data: object) => ({ ...wire, data: { ...wire.data, ...data } });
  const decodeText = (text: string) => decodeEmailEvent(new TextEncoder().encode(text));

  test.each([
    ["expires_at", { ...wire, expires_at: null }],
    ["data.purpose", withData({ purpose: null })],
    ["data.locale", withData({ locale: null })],
    ["a field nobody knows", { ...wire, traceparent: null, locale: null }],
  ])("null is absent: %s", (_field, value) => {
    expect(eventOf(value)).toEqual(eventOf(wire));
    expect(eventDigest("secret", eventOf(value))).toBe(eventDigest("secret", eventOf(wire)));
  });

  test.each([
    ["password_reset", { reset_link: "https://a.example/", expires_in: null }],
    ["sign_in_notice", { signed_in_at: wire.timestamp, device: null, account_link: null }],
    ["email_change", { new_email: "b", changed_at: wire.timestamp, account_link: null }],
  ])("null is absent in the data of %s", (event_type, data) => {
    const present = Object.entries(data).filter(([, value]) => value !== null);
    const without = { ...wire, event_type, data: Object.fromEntries(present) };
    expect(eventOf({ ...wire, event_type, data })).toStrictEqual(eventOf(without));
  });

  test.each([
    ["null", null, null],
    ["Go's", "", "0001-01-01T00:00:00Z"],
    [".NET's", "", "0001-01-01T00:00:00.0000000"],
  ])("all optional fields may be unset at once: %s", (_whose, text, time) => {
    const unset = { purpose: text, locale: text, device: text, account_link: text };
    for (const [event_type, data] of [
      ["verification_code", wire.data],
      ["welcome", { username: "ana" }],
      ["password_reset", { reset_link: "https://a.example/" }],
      ["sign_in_notice", { signed_in_at: wire.timestamp }],
      ["email_change", { new_email: "b@b.co", changed_at: wire.timestamp }],
    ] as const) {
      const without = { ...wire, event_type, data };
      const resetExpiry = event_type === "password_reset" ? { expires_in: text } : {};
      const full = { ...without, expires_at: time, data: { ...unset, ...resetExpiry, ...data } };
      expect(eventOf(full)).toStrictEqual(eventOf(without));
      expect(eventDigest("secret", eventOf(full))).toBe(eventDigest("secret", eventOf(without)));
    }
  });

  test.each([
    [{ ...wire, message_id: null }, "malformed: message_id is required"],
    [{ ...wire, timestamp: null }, "malformed: timestamp is required"],
    [{ ...wire, recipient: null }, "malformed: recipient is required"],
    [{ ...wire, data: null }, "malformed: data is required"],
    [withData({ code: null }), "invalid_data: data.code is required"],
    [withData({ expires_in: null }), "invalid_data: data.expires_in is required"],
  ])("null is no value of a field that must be there: %j", (value, reason) => {
    expect(reasonOf(value)).toBe(reason);
  });

  test.each([
    ["es-MX", "es-MX"],
    ["EN-us", "EN-us"],
    ["zh-Hant-TW", "zh-Hant-TW"],
    ["en_US", "en-US"],
    [" es ", "es"],
    ["de_DE.UTF-8", "de-DE"],
    ["ca_ES@valencia", "ca-ES"],
    ["zh_TW_#Hant", "zh-TW"],
    ["", undefined],
    ["C", undefined],
    ["es, en;q=0.5", undefined],
    ["x".repeat(300), undefined],
    [`en-${"a".repeat(60)}`, undefined],
    ["en\ud800", undefined],
    ["en\r\nBcc: a@b.co", undefined],
    [5, undefined],
    [true, undefined],
    [["es"], undefined],
    [{ language: "es" }, undefined],
  ])("the locale %j is never worth a mail: it is read as %j", (locale, read) => {
    expect(eventOf(withData({ locale })).data.locale).toBe(read);
  });

  test.each([
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31t12:00:00z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31 12:00:00+00:00", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31T12:00:00+05:45", "2026-01-31T06:15:00.000Z"],
    ["2026-01-31T12:00:00-23:59", "2026-02-01T11:59:00.000Z"],
    ["2026-01-31T12:00:00.1Z", "2026-01-31T12:00:00.100Z"],
    ["2026-01-31T12:00:00.12Z", "2026-01-31T12:00:00.120Z"],
    ["2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123Z"],
    ["2026-01-31T12:00:00.999999999Z", "2026-01-31T12:00:00.999Z"],
    ["2026-01-31T12:00:00.0123456789Z", "2026-01-31T12:00:00.012Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000Z"],
    ["1990-12-31T15:59:60.5-08:00", "1991-01-01T00:00:00.500Z"],
    ["0001-01-01T00:00:01Z", "0001-01-01T00:00:01.000Z"],
    ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
  ])("RFC 3339 is taken whole: %s", (text, time) => {
    const event = eventOf({ ...wire, timestamp: text, expires_at: text });
    expect(new Date(event.timestamp).toISOString()).toBe(time);
    expect(event.expiresAt).toBe(event.timestamp);
    const notice = { ...wire, event_type: "sign_in_notice", data: { signed_in_at: text } };
    expect(() => openRenderer()(eventOf(notice), { now: 0 })).not.toThrow();
  });

  test.each([
    ["2026-01-31T12:00:00", "must have a zone: end it with Z"],
    ["2026-01-31 12:00:00.123456", "must have a zone: end it with Z"],
    ["2026-01-31T12:00", "must have a zone: end it with Z"],
    ["2026-01-31T12:00:00+0100", "must have its offset as hours, colon, minutes"],
    ["2026-01-31T12:00:00+01", "must have its offset as hours, colon, minutes"],
    ["2026-02-30T12:00:00Z", "must be a day and a time that exist"],
    ["2025-02-29T12:00:00Z", "must be a day and a time that exist"],
    ["2026-13-01T12:00:00Z", "must be a day and a time that exist"],
    ["2026-00-01T12:00:00Z", "must be a day and a time that exist"],
    ["2026-01-31T24:00:00Z", "must be a day and a time that exist"],
    ["2026-01-31T12:60:00Z", "must be a day and a time that exist"],
    ["2026-01-31T12:00:61Z", "must be a day and a time that exist"],
    ["2026-01-31T12:00:60Z", "must be a day and a time that exist"],
    ["2026-01-31T12:00:00+24:00", "must be a day and a time that exist"],
    ["2026-01-31T12:00:00+01:00[Europe/Paris]", "must be a time as in RFC 3339"],
    ["2026-01-31T12:00:00,5Z", "must be a time as in RFC 3339"],
    ["2026-01-31", "must be a time as in RFC 3339"],
    ["/Date(1769860800000)/", "must be a time as in RFC 3339"],
    ["2026-01-31 12:00:00 UTC", "must be a time as in RFC 3339"],
    ["1769860800", "must be a time as in RFC 3339"],
    [1_769_860_800.123, "Jackson: disable WRITE_DATES_AS_TIMESTAMPS"],
    [[2026, 1, 31, 12, 0], "Jackson: disable WRITE_DATES_AS_TIMESTAMPS"],
  ])("what is no such time is refused with how to write it: %j", (text, says) => {
    expect(reasonOf({ ...wire, timestamp: text })).toContain(`malformed: timestamp must `);
    expect(reasonOf({ ...wire, timestamp: text })).toContain(says);
    expect(reasonOf({ ...wire, expires_at: text })).toContain("malformed: expires_at must ");
    expect(reasonOf({ ...wire, expires_at: text })).toContain(says);
  });

  test.each([
    ["10m", 600_000],
    ["10m0s", 600_000],
    ["+1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["168h", 604_800_000],
    ["0", 0],
  ])("expires_in is a duration as in Go: %s", (expires_in, ms) => {
    const event = eventOf(withData({ expires_in }));
    expect((event.expiresAt ?? 0) - event.timestamp).toBe(ms);
  });

  test.each([
    "-1m",
    "+",
    "10",
    "PT10M",
    "00:10:00",
    "10 m",
    "168h1ms",
    "1d",
    600,
    600e9,
    { seconds: 600 },
  ])("any other expires_in is refused: %j", (expires_in) => {
    expect(reasonOf(withData({ expires_in }))).toStartWith(
      "invalid_data: data.expires_in must be a duration ",
    );
  });

  test("a byte order mark, blanks around it and a repeated key do no harm", () => {
    const text = JSON.stringify(wire);
    const repeated = text.replace("{", '{"recipient":"x@y.co",');
    for (const value of [`\ufeff${text}`, `\n ${text}\r\n`, repeated]) {
      expect(decodeText(value)).toEqual({ kind: "event", event: eventOf(wire) });
    }
  });

  test("nesting of any depth does no harm", () => {
    const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const text = JSON.stringify({ ...wire, data: { ...wire.data, locale: 0 }, extra: 0 });
    expect(decodeText(text.replace('"extra":0', `"extra":${nested}`)).kind).toBe("event");
    expect(decodeText(text.replace('"locale":0', `"locale":${nested}`)).kind).toBe("event");
    const deepCode = JSON.stringify(withData({ code: 0 })).replace('"code":0', `"code":${nested}`);
    expect(decodeText(deepCode)).toMatchObject({ reason: "data.code must be text" });
  });

  test.each([
    [JSON.stringify(wire).replace('"10m"', "NaN"), "not JSON: expires_in is NaN"],
    [JSON.stringify(wire).replace('"10m"', "-Infinity"), "not JSON: expires_in is -Infinity"],
    [`\0\0\0\0\u0001${JSON.stringify(wire)}`, "begins with a zero byte"],
    [JSON.stringify(JSON.stringify(wire)), "serialised twice"],
    [" \n", "it is empty"],
    [`${JSON.stringify(wire)}\0`, "not JSON"],
    [JSON.stringify(wire).replaceAll('"', "'"), "not JSON"],
  ])("what is no JSON is refused with the likely cause", (value, says) => {
    const decoded = decodeText(value);
    expect(decoded).toMatchObject({ class: "malformed", reason: expect.stringContaining(says) });
  });

  test("half an emoji costs a name that half, and an identity or a link is refused", () => {
    const welcome = { ...wire, event_type: "welcome", data: { username: "ana \ud83d" } };
    const event = eventOf(welcome);
    expect(event.data).toEqual({ username: "ana \ufffd" });
    expect(decodeEmailEvent(encodeEmailEvent(event))).toEqual({ kind: "event", event });
    expect(reasonOf({ ...wire, message_id: "\ud83d" })).toStartWith("malformed: message_id ");
    expect(reasonOf({ ...wire, recipient: "a\ud83d@b.co" })).toStartWith("malformed: recipient ");
    const reset_link = "https://a.example/\ud83d";
    expect(reasonOf({ ...wire, event_type: "password_reset", data: { reset_link } })).toStartWith(
      "invalid_data: data.reset_link ",
    );
  });
});

describe("poison", () => {
  test.each([
    [{ ...wire, message_id: "a b" }, "malformed: message_id "],
    [{ ...wire, message_id: "x".repeat(129) }, "malformed: message_id "],
    [{ ...wire, message_id: undefined }, "malformed: message_id "],
    [{ ...wire, timestamp: "yesterday" }, "malformed: timestamp "],
    [{ ...wire, timestamp: 5 }, "malformed: timestamp "],
    [{ ...wire, recipient: "a@b.co\r\nBcc: c@d.co" }, "malformed: recipient "],
    [{ ...wire, recipient: "nobody" }, "malformed: recipient "],
    [{ ...wire, recipient: "" }, "malformed: recipient "],
    [{ ...wire, data: [] }, "malformed: data "],
    [{ ...wire, expires_at: "soon" }, "malformed: expires_at "],
    [{ ...wire, event_type: "newsletter" }, "unknown_type: no such event_type: newsletter"],
    [{ ...wire, event_type: "toString" }, "unknown_type: no such event_type: toString"],
    [{ ...wire, data: { code: "12" } }, "invalid_data: data.code "],
    [{ ...wire, data: { ...wire.data, expires_in: "8d" } }, "invalid_data: data.expires_in "],
    [{ ...wire, data: { ...wire.data, expires_in: "169h" } }, "invalid_data: data.expires_in "],
    [
      { ...wire, event_type: "welcome", data: { username: "a\nb" } },
      "invalid_data: data.username ",
    ],
    [
      { ...wire, event_type: "password_reset", data: { reset_link: "http://evil.example" } },
      "invalid_data: data.reset_link ",
    ],
    [[], "malformed:"],
    ["text", "malformed:"],
    [null, "malformed:"],
  ])("names the field: %j", (value, reason) => {
    expect(reasonOf(value)).toStartWith(reason);
  });

  test("is a record without a value", () => {
    expect(decodeEmailEvent(null)).toMatchObject({ kind: "poison", class: "malformed" });
  });

  test("is a value that is not UTF-8", () => {
    expect(decodeEmailEvent(new Uint8Array([0x22, 0xff, 0x22])).kind).toBe("poison");
  });

  test("is a value of more than 256 KiB", () => {
    const decoded = decode({ ...wire, padding: "x".repeat(256 * 1024) });
    expect(decoded).toMatchObject({ reason: "the record is larger than 256 KiB" });
  });

  test("keeps a well-formed message_id, so that its dead letter can be found", () => {
    expect(decode({ ...wire, recipient: 7 })).toMatchObject({ messageId: wire.message_id });
  });

  test("never shows the value of a field", () => {
    const reason = reasonOf({ ...wire, data: { code: "98 34 98", expires_in: "10m" } });
    expect(reason).not.toContain("98");
  });
});
