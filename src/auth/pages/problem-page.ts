import type { HttpContext } from "../../core/http/environment.ts";
import type { Problem } from "../../core/http/problem.ts";
import { messagePage } from "./message-page.tsx";
import { words } from "./words.ts";

/** What a person is shown where a program would be told a problem. */
export function problemPage(
  appName: string,
  { status, requestId }: Problem,
  { method, path }: Pick<HttpContext["req"], "method" | "path">,
): Response {
  const again = method === "GET" ? path : "/";
  if (status === 503) return messagePage({ appName, words: words.away, href: again, status });
  if (status >= 500) {
    const reference = requestId;
    return messagePage({ appName, words: words.fault, href: again, status, reference });
  }
  const nowhere = status === 404 || status === 405;
  return messagePage({
    appName,
    words: nowhere ? words.nowhere : words.refused,
    href: "/",
    status,
  });
}
