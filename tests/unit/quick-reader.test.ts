import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { parseMailbox } from "../../src/core/email-address.ts";
import { parseGoDuration } from "../../src/core/time.ts";
import { readBySchema, readQuickly } from "../../src/email/event.ts";
import { expiresIn, line, parseTimestamp } from "../../src/email/mails/mail-type.ts";
import { quickReaderOf } from "../../src/email/mails/quick-reader.ts";
import { everySample } from "../support/mails.ts";
import { randomJson, SeededRandom } from "../support/seeded-random.ts";

const seed = Number(process.env["TEST_SEED"] ?? 14);

/** What fields of all kinds hold, and what is almost that. */
const values: readonly unknown[] = [
  ...["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.1+05:45"],
  ...["2026-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z", "2026-06-31T00:00:00Z"],
  ...[
    "2026-12-31T23:59:60Z",
    "2026-01-31t12:00:00z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00",
  ],
  ...[
    "0999-01-01T00:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:00",
    " 2026-01-31T12:00:00Z",
  ],
  ...[
    "10m",
    "1h30m",
    "-1m",
    "168h",
    "169h",
    "604800s",
    "999999999s",
    "10",
    "0",
    "1.5h",
    "5ms",
    "m",
  ],
  ...[
    "https://a.example/x",
    "http://localhost/",
    "http://a.example/",
    "https://a.example/ b",
    "https://a.example@b.example/",
    "x:",
  ],
  ...["ana@example.com", "Ana.B+c@Example.com", " a@b.co ", "a@bücher.example", "a@1.2.3.4", "a@b"],
  ...[
    "a..b@c.de",
    ".a@b.co",
    "a@-b.co",
    "a@b-.co",
    "a@xn--a.co",
    "a@b.c0",
    "a@b..co",
    "a@localhost",
  ],
  ...[`${"l".repeat(65)}@b.co`, `a@${"d".repeat(64)}.co`, "jörg@b.co", "a\u0000@b.co", "a@b.co\n"],
  ...["verification_code", "welcome", "sign_in_notice", "email_change", "sign_in", "toString"],
  ...[
    "en",
    "es-MX",
    "en_US.UTF-8",
    " es ",
    "C",
    "x".repeat(36),
    "123456",
    "ABC-123",
    "",
    " ",
    "\u0000",
  ],
  ...[
    "👩‍👩‍👧‍👦",
    "😀".repeat(60),
    "😀".repeat(101),
    "\ud800",
    "a\udc00b",
    "a\u0085b",
    "\u202eevil",
    "İ",
  ],
  ...[
    "x".repeat(64),
    "x".repeat(65),
    "x".repeat(100),
    "x".repeat(101),
    "x".repeat(128),
    "x".repeat(401),
  ],
  ...["x".repeat(5_000), null, true, 0, -0, 1e308, [], {}, ["en"], { a: 1 }],
];
const names = ["message_id", "event_type", "timestamp", "recipient", "data", "expires_at"];
const dataNames = ["code", "expires_in", "purpose", "locale", "username", "reset_link", "device"];
const moreNames = ["signed_in_at", "account_link", "new_email", "changed_at"];
const oddNames = ["__proto__", "constructor", "toString", "extra", ""];

function usualEvent(random: SeededRandom): Record<string, unknown> {
  const [type, , data] = random.pick(everySample) ?? [];
  return {
    message_id: "5f0c6b7e-9f5b-4f0e-a5cf-0d5a4c1f2b3a",
    event_type: type,
    timestamp: "2026-01-31T12:00:00.000Z",
    recipient: "ana@example.com",
    data: { ...data },
  };
}

/** Still JSON; `__proto__` is set as JSON.parse does. */
function mutate(random: SeededRandom, event: Record<string, unknown>): unknown {
  for (let count = random.below(4); count > 0; count -= 1) {
    const data = event["data"];
    const inData = random.chance(0.6) && typeof data === "object" && data !== null;
    const target = inData ? (data as Record<string, unknown>) : event;
    const own = random.chance(0.8) ? Object.keys(target) : [...names, ...dataNames, ...moreNames];
    const name = random.pick(random.chance(0.9) ? own : oddNames) ?? "extra";
    const value = random.chance(0.9) ? structuredClone(random.pick(values)) : randomJson(random);
    if (random.chance(0.1)) delete target[name];
    else
      Object.defineProperty(target, name, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return random.chance(0.01) ? randomJson(random) : event;
}

test("the quick reader makes the very same of an event as zod, or leaves it to zod", () => {
  const random = new SeededRandom(seed);
  let quick = 0;
  for (let count = 0; count < 20_000; count += 1) {
    const text = JSON.stringify(mutate(random, usualEvent(random)));
    const event = readQuickly(JSON.parse(text));
    if (event === undefined) continue;
    quick += 1;
    const read = readBySchema(JSON.parse(text));
    const same =
      read.kind === "event" &&
      Bun.deepEquals(event, read.event, true) &&
      JSON.stringify(event) === JSON.stringify(read.event); // in the same order
    if (!same) throw new Error(`seed ${seed}: they disagree about ${text}`);
  }
  expect(quick).toBeGreaterThan(5_000);
});

test.each(everySample)("a usual %s (%s) is read quickly", (event_type, _name, sample) => {
  const wire = { ...usualEvent(new SeededRandom(1)), event_type, data: sample };
  expect(readQuickly(wire)).toBeDefined();
  const unset = { ...wire, expires_at: null, data: { locale: "es-MX", ...sample } };
  expect(readQuickly(unset)).toBeDefined();
});

describe("A reader of any schema", () => {
  const schema = z.object({
    text: line(5),
    long: z.string().min(3),
    email: z.email(),
    number: z.number(),
    nullable: z.string().nullable(),
    fallback: z.string().default("x"),
    optional: expiresIn.optional(),
    checked: z.string().superRefine((text, context) => {
      if (text.length > 3) context.addIssue("too long");
    }),
    transformed: z
      .string()
      .transform((text, context) => (text === "b" ? context.addIssue("b") : text.length)),
    made: z
      .unknown()
      .transform((given) => given ?? "made")
      .optional(),
    union: z.union([z.literal("a"), z.boolean()]),
    sticky: z.string().regex(/a/g),
    nested: z.object({ text: z.string() }),
  });
  const usual = {
    text: "a",
    long: "abc",
    email: "a@b.co",
    number: 1,
    nullable: "a",
    fallback: "b",
    checked: "abc",
    transformed: "a",
    union: true,
    sticky: "a",
    nested: { text: "" },
  };

  test("passes on what it does not know to zod", () => {
    const read = quickReaderOf(schema);
    expect(read(usual)).toStrictEqual(schema.parse(usual));
    const random = new SeededRandom(seed);
    for (let count = 0; count < 5_000; count += 1) {
      const name = random.pick(Object.keys(schema.shape)) ?? "";
      const given = { ...usual, [name]: random.pick([...values, "b", "abcd"]) };
      const json: unknown = JSON.parse(JSON.stringify(given));
      const output = read(json);
      if (output === undefined || given[name as "text"] === null) continue;
      expect(output).toStrictEqual(schema.parse(json));
    }
  });

  test("leaves all to zod where the object has rules of its own", () => {
    const text = { text: z.string() };
    const ruled = [z.strictObject(text), z.looseObject(text), z.object(text).refine(() => true)];
    for (const own of ruled) expect(quickReaderOf(own)({ text: "a" })).toBeUndefined();
  });
});

test("the fast paths of times, durations and addresses agree with the slow ones", () => {
  const random = new SeededRandom(seed);
  for (let count = 0; count < 5_000; count += 1) {
    const ms =
      Date.UTC(1000, 0) + random.below(2_000 * 365.25 * 86_400) * 1000 + random.below(1000);
    const text = new Date(ms).toISOString();
    expect(parseTimestamp(text)).toBe(ms);
    const day = text.replace(
      /-\d\d-\d\d/,
      `-0${random.below(10)}-${random.below(4)}${random.below(10)}`,
    );
    expect(parseTimestamp(day)).toBe(parseTimestamp(day.toLowerCase()));
    const duration = `${random.below(2_000_000)}${random.pick(["h", "m", "s", "ms"])}`;
    expect(parseGoDuration(duration)).toBe(parseGoDuration(`+${duration}`));
    const signs = [
      "a",
      "Z",
      "0",
      ".",
      "-",
      "+",
      "_",
      "@",
      "xn--",
      "com",
      ".co",
      "ü",
      " ",
      "localhost",
    ];
    const address = Array.from({ length: random.below(9) }, () => random.pick(signs)).join("");
    expect(parseMailbox(address)).toBe(parseMailbox(` ${address}`));
  }
});
