import { expect, test } from "bun:test";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { Metrics } from "../../src/core/metrics.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const buckets = [0.1, 1, 10];
const values = ["a", 'quo"ted', "back\\slash", "line\nend", "ü"];

test("the metrics are rendered as prom-client renders its own", async () => {
  const metrics = new Metrics();
  const registry = new Registry();
  const registers = [registry];
  const help = "What it\\is.";
  const labels = ["one", "other"];
  const counter = metrics.counter({ name: "c_total", help, labels }, [{ one: "z", other: "z" }]);
  const theirCounter = new Counter({ name: "c_total", help, labelNames: labels, registers });
  theirCounter.inc({ one: "z", other: "z" }, 0);
  const bare = metrics.counter({ name: "bare_total", help });
  const theirBare = new Counter({ name: "bare_total", help, registers });
  metrics.counter({ name: "never_total", help });
  new Counter({ name: "never_total", help, registers });
  const histogram = metrics.histogram({ name: "h_seconds", help, labels: ["one"], buckets });
  const theirs = new Histogram({
    name: "h_seconds",
    help,
    labelNames: ["one"],
    buckets,
    registers,
  });
  metrics.histogram({ name: "never_seconds", help, buckets });
  new Histogram({ name: "never_seconds", help, buckets, registers });
  metrics.gauge({ name: "g", help, labels: ["one"] }, (set) => {
    set(1.5, { one: "a" });
    set(Number.POSITIVE_INFINITY, { one: "b" });
    set(2, { one: "a" });
  });
  const gauge = new Gauge({ name: "g", help, labelNames: ["one"], registers });
  gauge.set({ one: "a" }, 2);
  gauge.set({ one: "b" }, Number.POSITIVE_INFINITY);
  metrics.countElsewhere({ name: "elsewhere_total", help }, () => 7);
  new Counter({ name: "elsewhere_total", help, registers }).inc(7);
  const random = new SeededRandom(1);
  for (let round = 0; round < 300; round += 1) {
    const one = values[random.below(values.length)] ?? "";
    const other = values[random.below(values.length)] ?? "";
    const seconds = [0, 0.1, 0.5, 1, 9.99, 10, 10.01, 1e9][random.below(8)] ?? 0;
    counter.add({ one, other });
    theirCounter.inc({ one, other });
    bare.add();
    theirBare.inc();
    histogram.observe(seconds, { one });
    theirs.observe({ one }, seconds);
    if (round % 100 === 0) expect(await metrics.render()).toBe(await registry.metrics());
  }
  expect(await metrics.render()).toBe(await registry.metrics());
  expect(metrics.contentType).toBe(registry.contentType);
});

test("a metric without a value has no sample, and is not kept from the last scrape", async () => {
  const metrics = new Metrics();
  let known = true;
  metrics.gauge({ name: "g", help: "G." }, (set) => {
    if (known) set(1);
  });
  expect(await metrics.render()).toContain("\ng 1\n");
  known = false;
  expect(await metrics.render()).not.toMatch(/^g /m);
});

test("a name is registered once", () => {
  const metrics = new Metrics();
  metrics.counter({ name: "c_total", help: "C." });
  expect(() => metrics.counter({ name: "c_total", help: "C." })).toThrow("registered twice");
});
