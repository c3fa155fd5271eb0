import type { JSX } from "hono/jsx/jsx-runtime";

/** The page as text. Components here are synchronous, so the text is there at once. */
export function htmlDocument(page: JSX.Element): string {
  return `<!doctype html>${page.toString()}`;
}
