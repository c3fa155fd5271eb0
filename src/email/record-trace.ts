import type { TraceContext } from "../core/trace-context.ts";
import {
  currentTrace,
  formatTraceparent,
  nextStep,
  parseTraceparent,
} from "../core/trace-context.ts";
import type { RecordHeaders } from "./event-log/event-log.ts";

/** The W3C header, as tracing libraries put it on Kafka records. */
const headerName = "traceparent";
const headerBytesMax = 512;
const text = new TextDecoder();

/** The headers that carry the trace of what runs now; none when there is none. */
export function traceHeaders(): RecordHeaders {
  const trace = currentTrace();
  if (trace === undefined) return [];
  return [[headerName, new TextEncoder().encode(formatTraceparent(trace))]];
}

/** The next step of the trace that a record came with; undefined when it came with none. */
export function readRecordTrace(headers: RecordHeaders): TraceContext | undefined {
  const bytes = headers.findLast(([name]) => name === headerName)?.[1];
  if (!bytes || bytes.length > headerBytesMax) return undefined;
  const given = parseTraceparent(text.decode(bytes));
  return given === undefined ? undefined : nextStep(given);
}
