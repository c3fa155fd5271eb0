import { expect, test } from "bun:test";
import { decideAdvance } from "../../src/email/ledger/advance-rules.ts";
import { digestsConflict, eventDigest } from "../../src/email/ledger/claim-rules.ts";
import type { LedgerChange } from "../../src/email/ledger/delivery-ledger.ts";
import { ledgerStates } from "../../src/email/ledger/delivery-ledger.ts";
import type { StoredRecord } from "../../src/email/ledger/record.ts";
import {
  blankRecord,
  decodeRecord,
  encodeHead,
  encodeNewEntry,
  encodeRecord,
  encodeTail,
} from "../../src/email/ledger/record.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const texts = [
  "",
  "plain",
  'say "no"',
  "back\\slash",
  "line\nbreak",
  "\u0001\u007f",
  "ü 漢 🎉",
  "}]{[",
];

test("what is encoded is decoded again, whatever is in it", () => {
  const seed = Math.floor(Math.random() * 1e9);
  const random = new SeededRandom(seed);
  for (let run = 0; run < 500; run += 1) {
    const record = randomRecord(random);
    expect(decodeRecord("id", encodeRecord(record).join("")), `seed ${seed}`).toEqual(record);
  }
});

test("the head is the beginning of the tail, and of no other revision's", () => {
  const record = { ...blankRecord("id"), state: "claimed", owner: 'o"', revision: 1 } as const;
  expect(encodeTail(record)).toStartWith(encodeHead(record));
  expect(encodeTail({ ...record, revision: 12 })).not.toStartWith(encodeHead(record));
});

test("writing the entry and the tail over a record makes what the rules decide, in every state", () => {
  const seed = Math.floor(Math.random() * 1e9);
  const random = new SeededRandom(seed);
  const claim = { messageId: "id", owner: "o", fence: 1 };
  let folded = 0;
  for (let run = 0; run < 300; run += 1) {
    let before: StoredRecord = { ...randomRecord(random), owner: "o", fence: 1, state: "claimed" };
    const parts = encodeRecord(before);
    let start = parts[0] + parts[1];
    let tail = parts[2] + " ".repeat(random.below(1000));
    for (let step = 0; step < 6; step += 1) {
      const now = 1_800_000_000_000 + random.below(1e9);
      const after = decideAdvance(before, claim, randomChange(random), now).write;
      if (after === undefined) continue;
      const entry = encodeNewEntry(before, after);
      const written = (entry ?? "") + encodeTail(after);
      if (entry === undefined || written.length > tail.length) break;
      expect(tail, `seed ${seed}`).toStartWith(encodeHead(before));
      const text = start + written.padEnd(tail.length);
      expect(decodeRecord("id", text), `seed ${seed}`).toEqual(after);
      tail = text.slice((start + entry).length);
      start += entry;
      before = after;
      folded += 1;
    }
  }
  expect(folded).toBeGreaterThan(300);
});

function randomChange(random: SeededRandom): LedgerChange {
  const reason = random.pick(texts) ?? "";
  const smtp = { host: "mx", reply: reason, queueId: undefined };
  const leaseMs = 1 + random.below(60_000);
  const state = random.chance(0.5) ? "claimed" : "submitting";
  return (
    random.pick<LedgerChange>([
      { kind: "renew", state, leaseMs },
      { kind: "submitting", leaseMs },
      { kind: "accepted", smtp },
      { kind: "deferred", countsAttempt: true, leaseMs, reason },
      { kind: "rejected", class: "refused", reason, smtp },
      { kind: "ambiguous", reason },
      { kind: "expired" },
      { kind: "suppressed", reason },
    ]) ?? { kind: "expired" }
  );
}

function randomRecord(random: SeededRandom): StoredRecord {
  const text = () => random.pick(texts) ?? "";
  const maybe = <T>(value: T) => (random.chance(0.5) ? value : undefined);
  const time = () => 1_700_000_000_000 + random.below(1e9);
  const state = () => random.pick(ledgerStates) ?? "claimed";
  const history = Array.from({ length: random.below(21) }, () => ({
    at: time(),
    state: state(),
    fence: random.below(9),
    note: maybe(text()),
    owner: maybe(text()),
  }));
  return {
    messageId: "id",
    state: state(),
    fence: random.below(9),
    owner: text(),
    revision: random.below(99),
    leaseUntil: time(),
    attempts: random.below(9),
    replays: random.below(9),
    resubmissions: random.below(2),
    waiting: random.chance(0.5),
    digest: text(),
    eventType: text(),
    recipient: text(),
    requestedAt: maybe(time()),
    origin: maybe({ topic: text(), partition: random.below(9), offset: random.below(1e12) }),
    sentAt: maybe(time()),
    late: random.chance(0.5),
    class: maybe(text()),
    reason: maybe(text()),
    smtp: maybe({ host: text(), reply: text(), queueId: maybe(text()) }),
    buried: maybe({ partition: random.below(9), offset: random.below(1e12) }),
    traceId: maybe(text()),
    history,
  };
}

const event = {
  eventType: "verification_code",
  recipient: "ana@example.com",
  data: { code: "123456", expires_in: "10m" },
} as const;
const digest = eventDigest("secret", event);

test("the same mail has the same digest, whatever the order of its fields", () => {
  const data = { expires_in: "10m", code: "123456" };
  expect(eventDigest("secret", { ...event, data })).toBe(digest);
  expect(digest).toMatch(/^[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{43}$/);
});

test("another type, recipient, data or key is another digest", () => {
  const others = [
    eventDigest("secret", { ...event, eventType: "welcome" }),
    eventDigest("secret", { ...event, recipient: "bob@example.com" }),
    eventDigest("secret", { ...event, data: { ...event.data, code: "123457" } }),
    eventDigest("secret", { ...event, data: { ...event.data, purpose: "sign_in" } }),
    eventDigest("other", event),
  ];
  expect(new Set([digest, ...others]).size).toBe(6);
});

test("digests of one key conflict when they differ, those of two keys never do", () => {
  const other = { ...event, recipient: "bob@example.com" };
  expect(digestsConflict(digest, eventDigest("secret", event))).toBe(false);
  expect(digestsConflict(digest, eventDigest("secret", other))).toBe(true);
  expect(digestsConflict(digest, eventDigest("rotated", other))).toBe(false);
});
