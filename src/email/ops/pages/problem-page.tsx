import { ButtonLink } from "../../../core/html/controls.tsx";
import type { Problem } from "../../../core/http/problem.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage } from "./ops-page.tsx";

/** What an operator's browser is shown where a program would be told a problem. */
export function opsProblemPage(
  site: OpsSite,
  { status, title, detail, requestId }: Problem,
  { method, path }: { readonly method: string; readonly path: string },
): Response {
  const again = status >= 500 && method === "GET";
  return opsPage({
    site,
    title,
    place: undefined,
    status,
    content: (
      <div class="card stack">
        <h1>{status >= 500 ? "That did not work" : title}</h1>
        {(status >= 500 || detail !== `${title}.`) && <p class="lead breaks">{detail}</p>}
        {status >= 500 && (
          <p class="hint breaks">
            <code>instant doctor</code> asks every server and says the mend. In the log: requestId{" "}
            {requestId}
          </p>
        )}
        <div>
          <ButtonLink look="plain" href={again ? path : "/"}>
            {again ? "Try again" : "Dashboard"}
          </ButtonLink>
        </div>
      </div>
    ),
  });
}
