import { describe, expect, test } from "bun:test";
import { decodeEmailEvent, encodeEmailEvent, eventKey } from "../../src/email/event.ts";

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
    expect(decoded).toMatchObject({ reason: "the record is larger than 262144 bytes" });
  });

  test("keeps a well-formed message_id, so that its dead letter can be found", () => {
    expect(decode({ ...wire, recipient: 7 })).toMatchObject({ messageId: wire.message_id });
  });

  test("never shows the value of a field", () => {
    const reason = reasonOf({ ...wire, data: { code: "98 34 98", expires_in: "10m" } });
    expect(reason).not.toContain("98");
  });
});
