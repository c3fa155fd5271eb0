import type { HttpContext } from "../../core/http/environment.ts";

/** A field of a form as browsers send one (`application/x-www-form-urlencoded`); "" without it. */
export async function formField(context: HttpContext, name: string): Promise<string> {
  return new URLSearchParams(await context.req.text()).get(name) ?? "";
}
