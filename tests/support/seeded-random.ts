/**
 * Random numbers that a seed repeats, for tests of interleavings: print the seed with the failure
 * and the same run comes again. (mulberry32)
 */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Undefined when there is nothing to pick from. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}

/** Texts that have broken programs before. */
const nastyTexts = [
  "",
  " ",
  "\0",
  "null",
  "__proto__",
  "constructor",
  "toString",
  "a\r\nBcc: b@x.org",
  "'; DROP TABLE auth_users; --",
  "<script>alert(1)</script>",
  "{{7*7}}#{7*7}",
  "../../etc/passwd",
  "\u202eevil",
  "\ud800",
  "\uffff",
  "👩‍👩‍👧‍👦",
  "İ",
  "ﬀ@ﬀ.com",
  "a@b",
  "@",
  "a@xn--",
  "a@[127.0.0.1]",
  "a@x.org",
  "١٢٣٤٥٦",
  "123456",
  "12 34-56",
  "1e5",
  "-0",
  "a".repeat(321),
  "a".repeat(5_000),
];
const nastyNumbers = [0, -0, -1, 1.5, 123456, 1e308, -1e308, 2 ** 53, 5e-324];
const depthMax = 4;

/** Any JSON value; objects and lists become rarer the deeper they are. */
export function randomJson(random: SeededRandom, depth = 0): unknown {
  const kind = random.below(depth < depthMax ? 10 : 6);
  if (kind < 3) return randomText(random);
  if (kind === 3) return random.pick(nastyNumbers);
  if (kind === 4) return random.chance(0.5);
  if (kind === 5) return null;
  const size = random.below(4);
  if (kind < 8) return Array.from({ length: size }, () => randomJson(random, depth + 1));
  const entries = Array.from({ length: size }, () => [
    randomText(random).slice(0, 50),
    randomJson(random, depth + 1),
  ]);
  return Object.fromEntries(entries);
}

function randomText(random: SeededRandom): string {
  if (random.chance(0.6)) return random.pick(nastyTexts) ?? "";
  const length = random.below(40);
  const codes = Array.from({ length }, () => random.below(random.chance(0.8) ? 128 : 0x1_0000));
  return String.fromCharCode(...codes);
}

/** Text that a parser of JSON must refuse, or may take for something else. */
export function brokenJson(random: SeededRandom, whole: string): string {
  const at = random.below(whole.length + 1);
  const ways = [
    whole.slice(0, at),
    whole.slice(0, at) + randomText(random) + whole.slice(at),
    whole.replaceAll('"', "'"),
    "[".repeat(10_000),
    '{"email":'.repeat(5_000),
    "\ufeff".concat(whole),
    "NaN",
    '{"email":"a@x.org","email":7}',
  ];
  return random.pick(ways) ?? "";
}
