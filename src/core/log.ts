// JSON log lines, with the trace they belong to (W3C Trace Context).
import { AsyncLocalStorage } from "node:async_hooks";
import pino from "pino";

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
  if (before !== undefined) return { ...before, spanId: randomHex(8) };
  const both = randomHex(24);
  return { traceId: both.slice(0, 32), spanId: both.slice(32), flags: "00" };
}

const storage = new AsyncLocalStorage<TraceContext | undefined>();

/** Runs `work`, and everything it starts, in this context; undefined: in none. */
export function runInTraceContext<T>(context: TraceContext | undefined, work: () => T): T {
  return storage.run(context, work);
}

export function currentTraceContext(): TraceContext | undefined {
  return storage.getStore();
}

const randomBytes = 1024;
let random = "";
let randomAt = 0;

/** For ids, not for secrets: drawn many at a time, and each digit is used once. */
function randomHex(byteCount: number): string {
  const end = randomAt + 2 * byteCount;
  if (end > random.length) {
    random = Buffer.from(crypto.getRandomValues(new Uint8Array(randomBytes))).toString("hex");
    randomAt = 0;
    return randomHex(byteCount);
  }
  const digits = random.slice(randomAt, end);
  randomAt = end;
  return digits;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
type LogLevel = (typeof logLevels)[number];

/** The part of pino that the program uses: fields first, then the message. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** The same log with `fields` on every line. */
  child(fields: object): Log;
}

interface LogOptions {
  readonly service: string;
  readonly level: LogLevel;
  /** The output; standard output when left out. */
  readonly write?: (line: string) => void;
}

/**
 * JSON lines with text levels: `{"level":"info","time":"…","service":"…","msg":"…",…}` (the guide).
 * A line logged within a trace carries its `traceId`. Callers never pass a code, token, password or
 * full address; addresses go through `maskEmail`.
 */
export function createLog(options: LogOptions): Log {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: { service: options.service },
    mixin: traceFields,
    timestamp: timeField,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
  };
  return pino(settings, { write: options.write ?? writeToStdout }) as Log;
}

/**
 * Writes the line that `log.info` would, for lines of which each mail has several: `fields` are JSON
 * text (`"a":1,"b":"x"`), and `message` needs no escape. Six times as fast.
 */
export function logText(
  log: Log,
  fields: string,
  message: string,
  trace: TraceContext | undefined,
): void {
  const logger = log as unknown as pino.Logger;
  if (!logger.isLevelEnabled("info")) return;
  const own = logger as unknown as Record<symbol, unknown>;
  const output = own[pino.symbols.streamSym] as { write(line: string): void };
  const traceField = trace === undefined ? "" : `,"traceId":"${trace.traceId}"`;
  const head = `{"level":"info"${timeField()}${own[pino.symbols.chindingsSym]}`;
  output.write(`${head}${traceField},${fields},"msg":"${message}"}\n`);
}

let timeText = "";
let timeMs = 0;

/** As pino's `isoTime`; made once for the lines of one millisecond. */
function timeField(): string {
  const now = Date.now();
  if (now !== timeMs) {
    timeMs = now;
    timeText = `,"time":"${new Date(now).toISOString()}"`;
  }
  return timeText;
}

let unwritten = "";

/**
 * Batches the lines of one event-loop turn into a single write. Nothing is buffered beyond the turn
 * or the end of the process.
 */
function writeToStdout(line: string): void {
  if (unwritten === "") setImmediate(writeLines);
  unwritten += line;
}

function writeLines(): void {
  if (unwritten !== "") process.stdout.write(unwritten);
  unwritten = "";
}

process.on("exit", writeLines);

function traceFields(): object {
  const context = currentTraceContext();
  return context === undefined ? {} : { traceId: context.traceId };
}

export const silentLog: Log = createLog({ service: "test", level: "silent" });

/** `test@example.com` → `t***@example.com`, for logs and the ledger. */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 1 ? "***" : `${address.slice(0, 1)}***${address.slice(at)}`;
}

/**
 * A log line for a terminal: `12:00:00.000 INFO auth-service Signed in userId=…`. Message and
 * fields as in the JSON; a multi-line value is printed below.
 */
export function formatLogLine(json: string, { colour }: { readonly colour: boolean }): string {
  const { level, time, service, msg, ...fields } = JSON.parse(json) as LogFields;
  const paint = colour ? (code: number, text: string) => `\x1b[${code}m${text}\x1b[0m` : plain;
  const entries = Object.entries(fields);
  const short = entries.filter(([, value]) => !isLong(value));
  const pairs = short.map(([name, value]) => `${paint(dim, `${name}=`)}${formatValue(value)}`);
  const parts = [
    paint(dim, String(time).slice(11, 23)),
    paint(levelColours[String(level)] ?? dim, String(level).toUpperCase().padEnd(5)),
    paint(dim, String(service)),
    paint(bold, String(msg)),
    ...(pairs.length > 0 ? [` ${pairs.join(" ")}`] : []),
  ];
  const long = entries.filter(([, value]) => isLong(value));
  const blocks = long.map(([name, value]) => `  ${name}:\n${indent(String(value))}\n`);
  return `${parts.join(" ")}\n${blocks.join("")}`;
}

type LogFields = Readonly<Record<string, unknown>>;

const [bold, dim] = [1, 2];
const levelColours: Readonly<Record<string, number>> = { info: 32, warn: 33, error: 31 };

function plain(_code: number, text: string): string {
  return text;
}

function isLong(value: unknown): boolean {
  return typeof value === "string" && value.includes("\n");
}

/** Text without spaces as is, everything else as JSON, so that no value can move the cursor. */
function formatValue(value: unknown): string {
  return typeof value === "string" && /^[!-~]+$/.test(value) ? value : JSON.stringify(value);
}

/** Drops control characters except line ends. */
function indent(text: string): string {
  const lines = text.trimEnd().split(/\r?\n/);
  return lines.map((line) => `    ${line.replace(/\p{Cc}/gu, "")}`).join("\n");
}
