import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { findBefore, settingsOf } from "../../../scripts/benchmarks/before.ts";
import { parseOptions } from "../../../scripts/benchmarks/bench.ts";
import type { Benchmark, ResultHead, Round } from "../../../scripts/benchmarks/benchmark.ts";
import {
  againstBefore,
  alternate,
  isFarWorse,
  listLines,
  summarize,
} from "../../../scripts/benchmarks/benchmark.ts";
import { timeDrain } from "../../../scripts/benchmarks/drain.ts";
import { HttpConnection, percentile } from "../../../scripts/benchmarks/loads.ts";
import { Child, readCpuMicros, readResidentBytes } from "../../../scripts/benchmarks/processes.ts";
import { sharesOf } from "../../../scripts/benchmarks/profile.ts";
import {
  formatNumber,
  readRecorded,
  record,
  renderTable,
  replaceMeasured,
} from "../../../scripts/benchmarks/report.ts";
import { benchmarks } from "../../../scripts/benchmarks/rows.ts";
import { encodeEmailEvent, eventKey } from "../../../src/email/event.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const row: Benchmark = {
  name: "drain",
  job: "drain",
  unit: "mails/s",
  comparisons: [
    { against: "yardstick", yardstick: "a bare consumer", target: { atLeast: 0.5 } },
    againstBefore({ atLeast: 2 }),
    againstBefore({ atMost: 0.4 }, "its CPU"),
  ],
  inQuick: true,
  measure: async () => [],
};
const rounds: readonly Round[] = [
  { ours: { value: 1000, cpuMicros: 30 }, yardstick: { value: 4000, cpuMicros: 7 } },
  { ours: { value: 900, cpuMicros: 20 }, yardstick: { value: 1000 } },
  { ours: { value: 2400, cpuMicros: 40 }, yardstick: { value: 4000 } },
];
/** Of the row's first line only. */
function withTargets(targets: Pick<Benchmark["comparisons"][number], "target" | "oursAtMost">) {
  return { ...row, comparisons: [{ ...row.comparisons[0], ...targets }] } as Benchmark;
}

test("the sides take turns at going first", async () => {
  const order: string[] = [];
  const run = (side: string, value: number) => async () => {
    order.push(side);
    return { value };
  };
  const [ours, before, yardstick] = [run("ours", 1), run("before", 3), run("yardstick", 2)];
  const measured = await alternate(2, { ours, before, yardstick });
  expect(order).toEqual(["ours", "before", "yardstick", "yardstick", "before", "ours"]);
  const values = { ours: { value: 1 }, before: { value: 3 }, yardstick: { value: 2 } };
  expect(measured).toEqual([values, values]);
  expect(await alternate(1, { ours, yardstick })).toEqual([
    { ours: { value: 1 }, yardstick: { value: 2 } },
  ]);
});

test("the ratio is the median of the pairs' own, with the least and the greatest", () => {
  expect(summarize(row, rounds)).toMatchObject([
    {
      measured: {
        ours: 1000,
        yardstick: 4000,
        ratio: 0.6,
        ratioMin: 0.25,
        ratioMax: 0.9,
        cpuMicros: { ours: 30, yardstick: 7 },
      },
      isMet: true,
    },
  ]);
});

test("the program of the earlier commit is compared too, by rate and by CPU time", () => {
  const before = { value: 400, cpuMicros: 90 };
  const results = summarize(row, [{ ...rounds[0], before } as Round]);
  expect(results.map(({ against, job, unit }) => [against, job, unit])).toEqual([
    ["yardstick", "drain", "mails/s"],
    ["before", "drain", "mails/s"],
    ["before", "its CPU", "µs"],
  ]);
  expect(results.slice(1).map(({ measured, isMet }) => [measured.ratio, isMet])).toEqual([
    [2.5, true],
    [30 / 90, true],
  ]);
});

test.each([
  [{ target: { atLeast: 0.61 } }, false],
  [{ target: { atMost: 0.6 } }, true],
  [{ target: { atMost: 0.59 } }, false],
  [{ target: { atMost: 1 }, oursAtMost: 1000 }, true],
  [{ target: { atMost: 1 }, oursAtMost: 999 }, false],
] as const)("a target of %j is met by 1000 at 0.6 of the yardstick: %p", (targets, isMet) => {
  expect(summarize(withTargets(targets), rounds)[0]?.isMet).toBe(isMet);
});

test("a row without a round, or with a figure that is not a number, was not measured", () => {
  expect(() => summarize(row, [])).toThrow("nothing was measured");
  expect(() => summarize(row, [{ ours: { value: Number.NaN }, yardstick: { value: 1 } }])).toThrow(
    "nothing was measured",
  );
  const before = { value: 1 };
  expect(() => summarize(row, [{ ours: before, yardstick: before, before }])).toThrow(
    "nothing was measured", // the CPU time is missing
  );
});

test("the table shows three figures, the spread, and what was missed", () => {
  const missed = withTargets({ target: { atMost: 0.5 }, oursAtMost: 2000 });
  expect(renderTable([...summarize(row, rounds), ...summarize(missed, rounds)])).toBe(
    `| job | measured against | instant | yardstick | ratio | spread | target |
|---|---|---:|---:|---:|---:|---:|
| drain | a bare consumer | 1,000 mails/s | 4,000 mails/s | **0.60×** | 0.25–0.90× | ≥ 0.5× |
| drain | a bare consumer | 1,000 mails/s | 4,000 mails/s | **0.60×** | 0.25–0.90× | ≤ 0.5×, ≤ 2,000 mails/s ✗ |`,
  );
  const formatted = [36_912, 0.81234, 5, 1_234_567].map(formatNumber);
  expect(formatted).toEqual(["36,900", "0.812", "5", "1,230,000"]);
});

test("--only takes rows that exist, and no others", () => {
  const names = ["drain", "memory"];
  const usual = { quick: false, only: undefined, json: false, write: false, profile: false };
  expect(parseOptions([], names)).toEqual({ ...usual, before: true });
  const some = parseOptions(["--quick", "--only", "memory,drain"], names);
  expect(some).toEqual({ ...usual, before: false, quick: true, only: ["memory", "drain"] });
  expect(() => parseOptions(["--only", "drain,speed"], names)).toThrow("unknown row: speed");
  expect(() => parseOptions(["--fast"], names)).toThrow("rows: drain, memory");
});

test("--quick compares with the earlier commit only when asked to, --profile never", () => {
  expect(parseOptions(["--quick", "--before"], []).before).toBe(true);
  expect(parseOptions(["--profile"], []).before).toBe(false);
});

test("a clone without the earlier commit leaves it out, and says so", async () => {
  using directory = temporaryDirectory();
  const printed: string[] = [];
  expect(await findBefore(directory.path, (line) => printed.push(line))).toBeUndefined();
  expect(printed.join("\n")).toContain("git fetch --unshallow");
});

test("settings have the names that the program of the earlier commit knows", () => {
  const program = { path: "", settings: { AUTH_CODES_GLOBAL: "AUTH_CODES_IN_ALL" } };
  const given = { AUTH_CODES_GLOBAL: "1", REDIS_URL: "redis://" };
  expect(settingsOf(program, given)).toEqual({ AUTH_CODES_IN_ALL: "1", REDIS_URL: "redis://" });
  expect(settingsOf({ path: "" }, given)).toEqual(given);
});

test("what was measured again replaces the lines of its row, in the order of the rows", () => {
  const result = (name: string, value: number) => {
    return summarize({ ...row, name }, [{ ours: { value }, yardstick: { value: 1 } }]);
  };
  const old = { ours: { value: 1, cpuMicros: 1 }, yardstick: { value: 1 } };
  const earlier = {
    full: [
      ...result("b", 1),
      ...summarize({ ...row, name: "a" }, [{ ...old, before: old.ours }]),
      ...result("gone", 1),
    ],
    quick: [],
  };
  const recorded = record(earlier, "full", result("a", 2), ["a", "b"]);
  expect(recorded.full.map(({ name, measured }) => [name, measured.ours])).toEqual([
    ["a", 2],
    ["b", 1],
  ]);
  expect(recorded.quick).toEqual([]);
});

test("the table replaces the text between the page's marks", () => {
  const page =
    "above\n<!-- scripts/bench writes from here -->\nold\n<!-- scripts/bench to here -->\nbelow\n";
  const replaced = replaceMeasured(page, "new");
  expect(replaced).toBe(
    "above\n<!-- scripts/bench writes from here -->\n\nnew\n\n<!-- scripts/bench to here -->\nbelow\n",
  );
  expect(replaceMeasured(replaced, "new")).toBe(replaced);
  expect(() => replaceMeasured("no marks", "new")).toThrow("needs the lines");
});

test("a drain is timed from the end of the warm-up to the last accepted mail", async () => {
  let polls = 0;
  const measured = await timeDrain(
    {
      begun: async () => [0, 5, 25, 60, 110][polls++] ?? 110,
      accepted: async () => 110,
      get cpuMicros() {
        return polls * 1000;
      },
      failure: (what) => new Error(what),
    },
    100,
    10,
  );
  // From 25 mails, at the third poll, to 110 at the fifth.
  expect(measured.cpuMicros).toBeCloseTo(2000 / 85);
  expect(measured.value).toBeLessThan(85 / 0.02); // it polls every 25 ms
});

test("the usage of a process is what the process itself measures", () => {
  for (const until = performance.now() + 50; performance.now() < until; );
  const { user, system } = process.cpuUsage();
  expect(Math.abs(readCpuMicros(process.pid) - (user + system))).toBeLessThan(50_000);
  expect(readResidentBytes(process.pid) / process.memoryUsage().rss).toBeCloseTo(1, 1);
});

test("a child that fails reports why", async () => {
  using directory = temporaryDirectory();
  const command = ["/bin/sh", "-c", "echo out; echo 'no such topic' >&2; exit 3"];
  await using child = new Child(command, { directory: directory.path });
  await expect(child.finish()).rejects.toThrow("no such topic");
});

test("a child's output and CPU time are there when it has ended", async () => {
  using directory = temporaryDirectory();
  await using child = new Child(["/bin/sh", "-c", "echo out"], { directory: directory.path });
  expect(await child.finish()).toBe("out\n");
  expect(child.cpuMicros).toBeGreaterThan(0);
});

test("a profile's samples belong to their nearest caller in a package or module; waits don't count", () => {
  const frame = (functionName: string, url: string) => ({ functionName, url });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(root)", ""), children: [2, 3] },
      { id: 2, callFrame: frame("change", "/x/src/email/ledger/redis-records.ts"), children: [4] },
      { id: 3, callFrame: frame("a", "/x/node_modules/@scope/name/index.js"), children: [5] },
      { id: 4, callFrame: frame("stringify", "") },
      { id: 5, callFrame: frame("writeBuffered", "") },
    ],
    samples: [4, 4, 5, 3, 1],
    timeDeltas: [1000, 900_000, 1000, 400, 400],
  };
  expect(sharesOf([profile])).toEqual([
    { part: "email/ledger", share: 0.55 },
    { part: "writes to sockets", share: 0.25 },
    { part: "@scope/name", share: 0.1 },
    { part: "the runtime", share: 0.1 },
  ]);
});

test("docs/benchmarks.md shows docs/benchmarks.json (else run scripts/bench --write)", () => {
  const recorded = readRecorded(resolve(import.meta.dir, "../../.."));
  const page = readFileSync("docs/benchmarks.md", "utf8");
  expect(page).toBe(replaceMeasured(page, renderTable(recorded.full)));
});

test("docs/benchmarks.json describes its lines as they are measured today", () => {
  const heads = readHeads();
  const isRecorded = (line: ResultHead) => heads.some((head) => Bun.deepEquals(head, line));
  expect(heads).toEqual(benchmarks.flatMap(listLines).filter(isRecorded));
});

// A plain test as soon as every row has been measured in full.
test.todo("docs/benchmarks.json has every line", () => {
  expect(readHeads()).toEqual(benchmarks.flatMap(listLines));
});

function readHeads(): readonly ResultHead[] {
  const { full } = readRecorded(resolve(import.meta.dir, "../../.."));
  return full.map(({ measured, isMet, pairs, ...head }) => head);
}

describe("a ratio", () => {
  test("of a rate is far worse below half of the committed one", () => {
    expect(isFarWorse({ atLeast: 0.3 }, 0.19, 0.4)).toBe(true);
    expect(isFarWorse({ atLeast: 0.3 }, 0.21, 0.4)).toBe(false);
  });

  test("of a time is far worse above twice the committed one", () => {
    expect(isFarWorse({ atMost: 3 }, 5.1, 2.5)).toBe(true);
    expect(isFarWorse({ atMost: 3 }, 4.9, 2.5)).toBe(false);
  });
});

describe("the load", () => {
  test("finds the end of an answer that comes in pieces", async () => {
    const pieces = ["HTTP/1.1 429 Too Many\r\nContent-", "Length: 5\r\n", "\r\nhel", "lo"];
    using listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: async (socket) => {
          for (const piece of pieces) {
            socket.write(piece);
            socket.flush();
            await Bun.sleep(5);
          }
        },
      },
    });
    const { promise, resolve: answer } = Promise.withResolvers<unknown>();
    const url = new URL(`http://127.0.0.1:${listener.port}`);
    const connection = await HttpConnection.open(url, answer);
    connection.send("GET / HTTP/1.1\r\n\r\n");
    expect(await promise).toEqual({ status: 429, body: "hello" });
    connection.close();
  });

  test("reports a connection that ends before the answer", async () => {
    using listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end("HTTP/1.1 200 OK\r\n") },
    });
    const { promise, resolve: answer } = Promise.withResolvers<{ readonly status: number }>();
    const url = new URL(`http://127.0.0.1:${listener.port}`);
    const connection = await HttpConnection.open(url, answer);
    connection.send("GET / HTTP/1.1\r\n\r\n");
    expect((await promise).status).toBe(0);
  });

  test("takes the value below which a share of all lie", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(values, 0.99)).toBe(100);
    expect(percentile(values, 0.5)).toBe(51);
  });
});

/** Of a record besides key and value: lengths, offset, time, headers, its part of the batch. */
const recordOverheadBytes = 40;

test("docs/scaling.md quotes what docs/benchmarks.json has; its tables are computed from that", () => {
  const { full } = readRecorded(resolve(import.meta.dir, "../../.."));
  const find = (name: string) => full.find((row) => row.name === name)?.measured;
  const page = readFileSync("docs/scaling.md", "utf8");
  const quoted = [
    ...page.matchAll(/^\| [^|]+ \| ([\d,.]+)(?: µs| bytes)? \| (?:`([a-z0-9-]+)`|its key)/gm),
  ];
  expect(quoted.map(([, figure, row]) => [row, figure])).toEqual([
    ["drain-smtp-20", formatNumber(find("drain-smtp-20")?.cpuMicros?.ours ?? Number.NaN)],
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
