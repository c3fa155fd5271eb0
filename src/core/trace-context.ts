import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Whose doing something is, across processes (W3C Trace Context): what runs for one request or one
 * record shares a trace id, which its log lines carry.
 */
export interface TraceContext {
  /** 32 lower-case hex digits, not all 0. */
  readonly traceId: string;
  /** Of the step that runs now; 16 lower-case hex digits. */
  readonly spanId: string;
  /** Two hex digits; 01: whoever began it records it. Passed on as it came. */
  readonly flags: string;
}

/** Version 00; of a later version the part that it has in common (W3C Trace Context, 4.3). */
const shape = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const headerCharsMax = 512;

/** Undefined for what is no valid `traceparent`. */
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

/** A further step of a trace, or the first of a new one. */
export function createChildContext(before: TraceContext | undefined): TraceContext {
  const traceId = before?.traceId ?? randomHex(16);
  return { traceId, spanId: randomHex(8), flags: before?.flags ?? "00" };
}

const storage = new AsyncLocalStorage<TraceContext | undefined>();

/** Runs `work`, and what it starts, as a part of this trace; undefined: of none. */
export function runInTraceContext<T>(context: TraceContext | undefined, work: () => T): T {
  return storage.run(context, work);
}

export function currentTraceContext(): TraceContext | undefined {
  return storage.getStore();
}

function randomHex(byteCount: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(byteCount))).toString("hex");
}
