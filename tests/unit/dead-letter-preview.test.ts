import { expect, test } from "bun:test";
import { encodeEmailEvent } from "../../src/email/event.ts";
import { previewValue } from "../../src/email/ops/dead-letters-page.tsx";
import { codeEvent } from "../../support/events.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("an event shows its id, type and times; code and address are masked", () => {
  const event = codeEvent({ recipient: "ana@example.com" });
  const shown = previewValue(encodeEmailEvent(event));
  expect(JSON.parse(shown)).toMatchObject({
    message_id: event.messageId,
    event_type: "verification_code",
    recipient: "a***@example.com",
    data: { code: "•••", expires_in: "10m" },
  });
});

test.each([
  ["numbers", '{"data":{"code":402817}}'],
  ["lists", '{"data":[["402817"]]}'],
  [
    "fields we do not know",
    '{"token":"402817","nested":{"deep":{"er":{"still":{"on":"402817"}}}}}',
  ],
  ["an address in a place for an id", '{"message_id":"write to ana@example.com"}'],
  ["what is no JSON", 'ana@example.com {"code":"402817"'],
  ["a bare text", '"402817"'],
])("%s show nothing secret", (_, text) => {
  expect(previewValue(bytes(text))).not.toMatch(/402817|ana@/);
});

test("what is no JSON shows its outline, and no value says so", () => {
  expect(previewValue(bytes("code: 123\u0000"))).toBe("10 bytes, not JSON: xxxx: 000 ");
  expect(previewValue(null)).toBe("(no value)");
  expect(previewValue(bytes(`[${"1,".repeat(9000)}1]`)).length).toBeLessThanOrEqual(2000);
});
