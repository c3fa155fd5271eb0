import type { z } from "zod";
import { InstantError } from "../errors.ts";
import type { HttpContext } from "./environment.ts";
import { httpErrors } from "./error-codes.ts";
import { fieldErrors } from "./field-errors.ts";

/**
 * The body as `schema` has it. Throws, in this order: 415 without a JSON content type, 400 when it
 * is not JSON in UTF-8, 422 with `errors` that name each bad field and its bound.
 */
export async function readJson<T>(context: HttpContext, schema: z.ZodType<T>): Promise<T> {
  const contentType = context.req.header("Content-Type") ?? "";
  if (!isJson(contentType)) {
    throw new InstantError(httpErrors.unsupportedMediaType, {
      detail: "send it with the header Content-Type: application/json",
    });
  }
  const json = parseJson(await context.req.arrayBuffer());
  const parsed = schema.safeParse(json, { reportInput: true });
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error);
  throw new InstantError(httpErrors.validationFailed, {
    detail: `${errors[0]?.field || "the body"} ${errors[0]?.message ?? "is not valid"}`,
    details: { errors },
  });
}

/** As `readJson`, but no body at all is as good as `{}`. */
export async function readOptionalJson<T>(context: HttpContext, schema: z.ZodType<T>): Promise<T> {
  const body = await context.req.arrayBuffer();
  return body.byteLength === 0 ? schema.parse({}) : readJson(context, schema);
}

function isJson(contentType: string): boolean {
  return /^application\/(?:json|[\w.-]+\+json)\s*(?:;|$)/i.test(contentType.trim());
}

function parseJson(body: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    const detail = body.byteLength === 0 ? "it is empty" : undefined;
    throw new InstantError(httpErrors.malformedJson, detail === undefined ? {} : { detail });
  }
}
