import { AsyncLocalStorage } from "node:async_hooks";

/**
 * W3C Trace Context: everything that runs for one request or one record, in any process, shares a
 * trace id, which its log lines carry.
 */
export interface TraceContext {
  /** 32 lower-case hex digits, not all 0. */
  readonly traceId: string;
  /** The current span; 16 lower-case hex digits. */
  readonly spanId: string;
  /** Two hex digits (01: sampled), passed on unchanged. */
  readonly flags: string;
}

/** Version 00, or the compatible part of a later version (W3C Trace Context, 4.3). */
const shape = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const headerCharsMax = 512;

/** Undefined when `header` is not a valid `traceparent`. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  if (header === undefined || header.length > headerCharsMax) return undefined;
  const [whole = "", traceId = "", spanId = "", flags = ""] = shape.exec(header) ?? [];
  const isEmpty = /^0*$/.test(traceId) || /^0*$/.test(spanId);
  const isLonger = whole.startsWith("00") && whole.length > 55; // version 00 ends with its flags
  return isEmpty || isLonger ? undefined : { traceId, spanId, flags };
}

export function formatTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

/** A new span of the trace of `before`, or of a new trace. */
export function createChildContext(before: TraceContext | undefined): TraceContext {
  const traceId = before?.traceId ?? randomHex(16);
  return { traceId, spanId: randomHex(8), flags: before?.flags ?? "00" };
}

const storage = new AsyncLocalStorage<TraceContext | undefined>();

/** Runs `work`, and everything it starts, in this context; undefined: in none. */
export function runInTraceContext<T>(context: TraceContext | undefined, work: () => T): T {
  return storage.run(context, work);
}

export function currentTraceContext(): TraceContext | undefined {
  return storage.getStore();
}

function randomHex(byteCount: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(byteCount))).toString("hex");
}
