import type { ReadableStreamDefaultReader } from "node:stream/web";
import type { MiddlewareHandler } from "hono";
import { withDeadline } from "../deadline.ts";
import { InstantError, isInstantError } from "../errors.ts";
import type { HttpEnvironment } from "./environment.ts";
import { httpErrors } from "./error-codes.ts";
import { problemResponse } from "./problem.ts";

const bodyBytesMax = 64 * 1024;

export interface BodyLimitOptions {
  /** How long the whole body may take to arrive; 10 s when left out. */
  readonly deadlineMs?: number;
}

/**
 * Takes the body in before a handler runs: at most 64 KiB (else 413, the rest unread), all of it
 * in time (else 408), whatever the length it announces. Hono's own body limit has no deadline. A
 * handler reads it with `context.req`, never with `context.req.raw`, whose body is gone.
 */
export function bodyLimit(options: BodyLimitOptions = {}): MiddlewareHandler<HttpEnvironment> {
  const deadlineMs = options.deadlineMs ?? 10_000;
  return async function bodyLimit(context, next) {
    const request = context.req.raw;
    if (request.method === "GET" || request.method === "HEAD") return next();
    const announced = announcedLength(request.headers);
    if (announced === undefined && request.body === null) return next();
    const body = await takeIn(request, announced, deadlineMs);
    if (body === "too_large") {
      return problemResponse(context, httpErrors.bodyTooLarge, {
        detail: `The body may have at most ${bodyBytesMax} bytes.`,
        headers: { Connection: "close" }, // what was not read must not become the next request
      });
    }
    // Hono keeps promises there, whatever its type says; each of its ways to read a body looks there.
    context.req.bodyCache.arrayBuffer = Promise.resolve(body) as unknown as ArrayBuffer;
    return next();
  };
}

/** Undefined: it comes in chunks, and nobody knows how many; or there is none. */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length") ?? "";
  return /^\d{1,15}$/.test(length) && !headers.has("Transfer-Encoding")
    ? Number(length)
    : undefined;
}

async function takeIn(
  request: Request,
  announced: number | undefined,
  deadlineMs: number,
): Promise<ArrayBuffer | "too_large"> {
  if (announced !== undefined) {
    if (announced > bodyBytesMax) return "too_large";
    // The server takes no more than was announced. A small body is here already, and needs no timer.
    const whole = request.arrayBuffer();
    if (Bun.peek.status(whole) === "fulfilled") return whole;
    return inTime(whole, deadlineMs);
  }
  const reader = request.body?.getReader();
  if (reader === undefined) return new ArrayBuffer();
  return inTime(readAll(reader), deadlineMs, () => {
    reader.cancel().catch(() => {}); // the connection is given up anyway
  });
}

async function inTime<T>(
  work: Promise<T>,
  deadlineMs: number,
  giveUp: () => void = () => {},
): Promise<T> {
  try {
    return await withDeadline("reading the body", deadlineMs, work);
  } catch (error) {
    giveUp();
    const row = isInstantError(error) ? httpErrors.requestTimeout : httpErrors.malformedRequest;
    throw new InstantError(row, { cause: error });
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<ArrayBuffer | "too_large"> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(Buffer.concat(chunks)).buffer;
    size += value.byteLength;
    if (size > bodyBytesMax) return "too_large";
    chunks.push(value);
  }
}
