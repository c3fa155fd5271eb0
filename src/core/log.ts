import pino from "pino";
import { currentTraceContext } from "./trace-context.ts";

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
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
  };
  return pino(settings, { write: options.write ?? writeToStdout }) as Log;
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
