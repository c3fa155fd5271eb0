import { describe, expect, test } from "bun:test";
import {
  createChildContext,
  currentTraceContext,
  formatTraceparent,
  parseTraceparent,
  runInTraceContext,
} from "../../src/core/log.ts";
import { readTraceContext, traceContextHeaders } from "../../src/email/event.ts";

const [traceId, spanId] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
const valid = `00-${traceId}-${spanId}-01`;

describe("a traceparent", () => {
  test("is parsed and formatted as in the W3C recommendation", () => {
    const trace = parseTraceparent(valid);
    expect(trace).toEqual({ traceId, spanId, flags: "01" });
    expect(trace && formatTraceparent(trace)).toBe(valid);
  });

  test("of a later version is parsed as far as it is known", () => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes`)?.traceId).toBe(traceId);
  });

  test.each([
    undefined,
    "",
    "nonsense",
    valid.toUpperCase(),
    `ff-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `${valid}-more`,
    `${valid}\n`,
    `cc${valid.slice(2)}-${"x".repeat(600)}`,
  ])("%p is none", (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});

describe("the current trace context", () => {
  test("is kept across awaits, and separate from concurrent work", async () => {
    const [one, other] = [createChildContext(undefined), createChildContext(undefined)];
    const seen = async () => {
      await Bun.sleep(1);
      return currentTraceContext();
    };
    expect(
      await Promise.all([runInTraceContext(one, seen), runInTraceContext(other, seen), seen()]),
    ).toEqual([one, other, undefined]);
  });

  test("continues in another span of the same trace through a record", () => {
    const trace = createChildContext(parseTraceparent(valid));
    const headers = runInTraceContext(trace, traceContextHeaders);
    const read = readTraceContext(headers);
    expect(read).toMatchObject({ traceId, flags: "01" });
    expect(read?.spanId).not.toBe(trace.spanId);
  });

  test("is undefined for a record without a valid one", () => {
    expect(traceContextHeaders()).toEqual([]);
    for (const value of [null, new TextEncoder().encode("x"), new Uint8Array(100_000)]) {
      expect(readTraceContext([["traceparent", value]])).toBeUndefined();
    }
  });
});
