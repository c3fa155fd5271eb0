import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { formatNumber, readRecorded } from "../../../scripts/benchmarks/report.ts";
import { encodeEmailEvent, eventKey } from "../../../src/email/event.ts";

/** Of a record besides key and value: lengths, offset, time, headers, its part of the batch. */
const recordOverheadBytes = 40;

test("docs/scaling.md quotes what docs/benchmarks.json has; its tables are computed from that", () => {
  const { full } = readRecorded(resolve(import.meta.dir, "../../.."));
  const find = (name: string) => full.find((row) => row.name === name)?.measured;
  const page = readFileSync("docs/scaling.md", "utf8");
  const quoted = [
    ...page.matchAll(/^\| [^|]+ \| ([\d,]+)(?: µs| bytes)? \| (?:`([a-z-]+)`|its key)/gm),
  ];
  expect(quoted.map(([, figure, row]) => [row, figure])).toEqual([
    ["drain-smtp", formatNumber(find("drain-smtp")?.cpuMicros?.ours ?? Number.NaN)],
    ["ledger-memory", formatNumber(find("ledger-memory")?.ours ?? Number.NaN)],
    ["ledger-calls", formatNumber(find("ledger-calls")?.ours ?? Number.NaN)],
    [undefined, formatNumber(codeBytes() + recordOverheadBytes)],
  ]);
});

/** A sign-in code for an address of usual length. */
function codeBytes(): number {
  const timestamp = Date.UTC(2026, 0, 1);
  const event = {
    messageId: "00000000-0000-4000-8000-000000000000",
    eventType: "verification_code",
    timestamp,
    expiresAt: timestamp + 600_000,
    recipient: "somebody.or.other@example.com",
    data: { code: "000000", expires_in: "10m", purpose: "sign_in" },
  } as const;
  return eventKey(event).length + encodeEmailEvent(event).length;
}
