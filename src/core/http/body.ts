import type { ReadableStreamDefaultReader } from "node:stream/web";
import type { z } from "zod";
import { InstantError, isInstantError } from "../errors.ts";
import { withDeadline } from "../time.ts";
import type { HttpContext } from "./problem.ts";
import { fieldErrors, httpErrors, problemResponse } from "./problem.ts";

const bodyBytesMax = 64 * 1024;

const bodyDeadlineMs = 10_000;

/**
 * How much of a refused body is read before the answer. A proxy that gets an answer while it still
 * writes may take the server to have failed; nginx passes on up to 1 MiB by default.
 */
const discardedBytesMax = 1024 * 1024;
const discardDeadlineMs = 2_000;
/**
 * Bun gives nobody the body of a GET, but drops it while the answer is not there yet. Longer ones are
 * refused, after time for most of them to arrive.
 */
const ignoredBytesMax = 8 * 1024;
const ignoringMs = 500;

/**
 * Reads the body before the handler runs: at most 64 KiB, and within the deadline, whatever the
 * Content-Length; of the rest up to 1 MiB is read and dropped. Hono's own limit has no deadline. Handlers read it through
 * `context.req`; the body of `context.req.raw` is consumed. Undefined when there is none; resolves
 * with the 413 of one that is too large, or the 415 of a compressed one, whose size nobody knows
 * before it is unpacked; throws the 408 of a late one.
 */
export function limitBody(
  context: HttpContext,
  deadlineMs = bodyDeadlineMs,
): Promise<Response | undefined> | undefined {
  const request = context.req.raw;
  const announced = announcedLength(request.headers);
  if (request.method === "GET" || request.method === "HEAD") {
    const isLong = (announced ?? 0) > ignoredBytesMax || request.headers.has("Transfer-Encoding");
    return isLong
      ? Bun.sleep(ignoringMs).then(() => tooLarge(context, ignoredBytesMax))
      : undefined;
  }
  if (announced === undefined && request.body === null) return undefined;
  const coding = request.headers.get("Content-Encoding");
  if (coding !== null && coding.toLowerCase() !== "identity") {
    return discard(request.body?.getReader()).then(() => compressed(context));
  }
  if (announced !== undefined) {
    if (announced > bodyBytesMax) {
      return discard(request.body?.getReader()).then(() => tooLarge(context));
    }
    // The server reads no more than announced.
    return keepBody(context, deadlineMs, request.arrayBuffer());
  }
  const reader = request.body?.getReader();
  if (reader === undefined) return undefined;
  return keepBody(context, deadlineMs, readAll(reader), () => {
    reader.cancel().catch(() => {}); // the connection is closed anyway
  });
}

async function keepBody(
  context: HttpContext,
  deadlineMs: number,
  reading: Promise<ArrayBuffer | "too_large">,
  giveUp: () => void = () => {},
): Promise<Response | undefined> {
  try {
    const body = await withDeadline("reading the body", deadlineMs, reading);
    if (body === "too_large") return tooLarge(context);
    // Despite its type Hono caches promises here, and all of its body readers check this first.
    context.req.bodyCache.arrayBuffer = Promise.resolve(body) as unknown as ArrayBuffer;
    return undefined;
  } catch (error) {
    giveUp();
    const row = isInstantError(error) ? httpErrors.requestTimeout : httpErrors.malformedRequest;
    throw new InstantError(row, { cause: error });
  }
}

function tooLarge(context: HttpContext, bytesMax = bodyBytesMax): Response {
  return problemResponse(context, httpErrors.bodyTooLarge, {
    detail: `The body may have at most ${bytesMax} bytes.`,
    headers: { Connection: "close" }, // the unread rest must not be parsed as the next request
  });
}

/** RFC 9110, 15.5.16: the answer names what is accepted instead. */
function compressed(context: HttpContext): Response {
  return problemResponse(context, httpErrors.unsupportedContentEncoding, {
    detail: "Send the body without Content-Encoding.",
    headers: { "Accept-Encoding": "identity", Connection: "close" },
  });
}

/** Undefined: chunked, or there is no body. */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length") ?? "";
  return /^\d{1,15}$/.test(length) && !headers.has("Transfer-Encoding")
    ? Number(length)
    : undefined;
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
    if (size > bodyBytesMax) {
      await discard(reader);
      return "too_large";
    }
    chunks.push(value);
  }
}

/** Reads and drops what is left, as much and as long as it is worth; never rejects. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<void> {
  const drop = async () => {
    for (let size = 0; reader !== undefined && size < discardedBytesMax; ) {
      const { done, value } = await reader.read();
      if (done) return;
      size += value.byteLength;
    }
  };
  await withDeadline("dropping the body", discardDeadlineMs, drop()).catch(() => {});
}

/**
 * The body parsed by `schema`. Throws, in this order: 415 without a JSON content type, 400 when it is
 * not JSON in UTF-8, 422 with `errors` that name each invalid field and its bound.
 */
export async function readJson<T>(context: HttpContext, schema: z.ZodType<T>): Promise<T> {
  return parseFields(schema, await readAnyJson(context));
}

/** The body, not yet validated; throws 415 and 400 as `readJson` does. */
export async function readAnyJson(context: HttpContext): Promise<unknown> {
  if (!isJson(context.req.header("Content-Type") ?? "")) {
    throw new InstantError(httpErrors.unsupportedMediaType, {
      detail: "send it with the header Content-Type: application/json",
    });
  }
  return parseJson(await context.req.arrayBuffer());
}

/**
 * The value parsed by `schema`. Throws 422 with `errors` that name each bad field and its bound.
 */
export function parseFields<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error);
  throw new InstantError(httpErrors.validationFailed, {
    detail: `${errors[0]?.field || "the body"} ${errors[0]?.message ?? "is not valid"}`,
    details: { errors },
  });
}

/** As `readJson`, but an absent body counts as `{}`. */
export async function readOptionalJson<T>(context: HttpContext, schema: z.ZodType<T>): Promise<T> {
  const body = await context.req.arrayBuffer();
  return body.byteLength === 0 ? schema.parse({}) : readJson(context, schema);
}

function isJson(contentType: string): boolean {
  return /^application\/(?:json|[\w.-]+\+json)\s*(?:;|$)/i.test(contentType.trim());
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseJson(body: ArrayBuffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    const detail = body.byteLength === 0 ? "it is empty" : undefined;
    throw new InstantError(httpErrors.malformedJson, detail === undefined ? {} : { detail });
  }
}
