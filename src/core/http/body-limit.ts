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
 * in time (else 408), whatever the length it announces. Hono's own body limit has no deadline.
 */
export function bodyLimit(options: BodyLimitOptions = {}): MiddlewareHandler<HttpEnvironment> {
  const deadlineMs = options.deadlineMs ?? 10_000;
  return async function bodyLimit(context, next) {
    const request = context.req.raw;
    if (request.body === null) return next();
    const announced = Number(request.headers.get("Content-Length") ?? 0);
    const body =
      announced > bodyBytesMax ? "too_large" : await readInTime(request.body, deadlineMs);
    if (body === "too_large") {
      return problemResponse(context, httpErrors.bodyTooLarge, {
        detail: `The body may have at most ${bodyBytesMax} bytes.`,
        headers: { Connection: "close" }, // what was not read must not become the next request
      });
    }
    context.req.raw = new Request(request, { body });
    return next();
  };
}

async function readInTime(
  body: ReadableStream<Uint8Array>,
  deadlineMs: number,
): Promise<Uint8Array<ArrayBuffer> | "too_large"> {
  const reader = body.getReader();
  try {
    return await withDeadline("reading the body", deadlineMs, readAll(reader));
  } catch (error) {
    reader.cancel().catch(() => {}); // the connection is given up anyway
    const row = isInstantError(error) ? httpErrors.requestTimeout : httpErrors.malformedRequest;
    throw new InstantError(row, { cause: error });
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer> | "too_large"> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(Buffer.concat(chunks));
    size += value.byteLength;
    if (size > bodyBytesMax) return "too_large";
    chunks.push(value);
  }
}
