import pino from "pino";
import { currentTrace } from "./trace-context.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The part of pino that the program uses: fields first, then the phrase. */
export interface Log {
  debug(fields: object, phrase: string): void;
  info(fields: object, phrase: string): void;
  warn(fields: object, phrase: string): void;
  error(fields: object, phrase: string): void;
  /** The same log with `fields` on every line. */
  child(fields: object): Log;
}

export interface LogOptions {
  readonly service: string;
  readonly level: LogLevel;
  /** Where the lines go; standard output when left out. */
  readonly write?: (line: string) => void;
}

/**
 * JSON lines with text levels: `{"level":"info","time":"…","service":"…","msg":"…",…}` (the guide).
 * What runs as a part of a trace has its `traceId` too. Callers never pass a code, token, password or full address; `maskEmail` is for addresses.
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
 * The lines of one turn of the event loop in one write: what is logged is written within the turn,
 * and before the process exits.
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
  const trace = currentTrace();
  return trace === undefined ? {} : { traceId: trace.traceId };
}

export const silentLog: Log = createLog({ service: "test", level: "silent" });

/** `test@example.com` → `t***@example.com`, for logs and the ledger. */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 1 ? "***" : `${address.slice(0, 1)}***${address.slice(at)}`;
}
