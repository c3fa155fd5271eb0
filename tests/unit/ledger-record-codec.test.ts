import { expect, test } from "bun:test";
import { ledgerStates } from "../../src/email/ledger/delivery-ledger.ts";
import type { StoredRecord } from "../../src/email/ledger/record.ts";
import {
  blankRecord,
  decodeRecord,
  encodeHead,
  encodeRecord,
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
    expect(decodeRecord("id", encodeRecord(record)), `seed ${seed}`).toEqual(record);
  }
});

test("the head is the beginning of the text, and of no other revision's", () => {
  const record = { ...blankRecord("id"), state: "claimed", owner: 'o"', revision: 1 } as const;
  expect(encodeRecord(record)).toStartWith(encodeHead(record));
  expect(encodeRecord({ ...record, revision: 12 })).not.toStartWith(encodeHead(record));
});

test("a raw control character is in no text, so that a mark of the time can be one", () => {
  const record = randomRecord(new SeededRandom(1));
  const text = encodeRecord({ ...record, owner: "\u0001", digest: "\u0001", reason: "\u0001" });
  expect([...text].filter((char) => char < " ")).toEqual([]);
  expect(encodeRecord(record, () => "\u0001")).toContain('"lease_until":"\u0001"');
});

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
