import { ButtonLink } from "../../../core/html/controls.tsx";
import type { OpsSite, Place } from "./ops-page.tsx";
import { opsPage } from "./ops-page.tsx";

export interface OpsMessage {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  readonly href: Place;
  readonly button: string;
}

/** A page that says one thing and leads on. */
export function opsMessagePage(site: OpsSite, message: OpsMessage): Response {
  const { status, title, text, href, button } = message;
  return opsPage({
    site,
    title,
    place: href,
    status,
    content: (
      <div class="card stack">
        <h1>{title}</h1>
        <p class="lead">{text}</p>
        <div>
          <ButtonLink look="plain" href={href}>
            {button}
          </ButtonLink>
        </div>
      </div>
    ),
  });
}
