import type { Child } from "hono/jsx";
import controlsStyles from "../../core/html/controls.css" with { type: "text" };
import frameStyles from "../../core/html/frame.css" with { type: "text" };
import { Button, ButtonLink, Frame, pageResponse } from "../../core/html/page.tsx";
import textStyles from "../../core/html/text.css" with { type: "text" };
import { loopbackOnlyError } from "../../core/http/client-address.ts";
import type { Problem } from "../../core/http/problem.ts";
import { opsErrors } from "./access.ts";
import figureStyles from "./figures.css" with { type: "text" };
import listStyles from "./lists.css" with { type: "text" };
import liveScript from "./live.client.js" with { type: "text" };
import opsStyles from "./ops.css" with { type: "text" };

const styles = controlsStyles + frameStyles + textStyles + opsStyles + listStyles + figureStyles;

/** The inputs of the navigation. */
export interface OpsSite {
  readonly appName: string;
  /** EMAIL_MODE=log: there is an inbox. */
  readonly hasInbox: boolean;
  /** There is a session to sign out of. */
  readonly hasLogin: boolean;
}

export const opsIconPath = "/icon.svg";

const places = [
  ["/", "Dashboard"],
  ["/search", "Search"],
  ["/dead-letters", "Dead letters"],
  ["/inbox", "Inbox"],
] as const;
type Place = (typeof places)[number][0];

interface OpsPageOptions {
  readonly site: OpsSite;
  readonly title: string;
  /** The current tab; undefined when signed out, without tabs. */
  readonly place: Place | undefined;
  readonly status?: number;
  /** Whether the live feed updates it. */
  readonly live?: boolean;
  readonly scripts?: readonly string[];
  readonly styles?: string;
  readonly content: Child;
}

/** A page for operators. */
export function opsPage(options: OpsPageOptions): Response {
  const { site, title, place, status = 200, live = false, scripts = [], content } = options;
  return pageResponse({
    title: `${title} · ${site.appName} operations`,
    status,
    icon: opsIconPath,
    styles: styles + (options.styles ?? ""),
    scripts: live ? [liveScript, ...scripts] : scripts,
    body: () => (
      <Frame
        appName={`${site.appName} operations`}
        width={place === undefined ? "narrow" : "wide"}
        aside={place === undefined ? undefined : <Navigation site={site} place={place} />}
      >
        {content}
        {place !== undefined && <p class="hint">All times are UTC.</p>}
      </Frame>
    ),
  });
}

function Navigation({ site, place }: { readonly site: OpsSite; readonly place: Place }) {
  return (
    <div class="places">
      <nav aria-label="Pages">
        {places
          .filter(([path]) => path !== "/inbox" || site.hasInbox)
          .map(([path, name]) => (
            <a class="tab" href={path} {...(path === place ? { "aria-current": "page" } : {})}>
              {name}
            </a>
          ))}
      </nav>
      {site.hasLogin && (
        <form method="post" action="/logout">
          <Button variant="link">Sign out</Button>
        </form>
      )}
    </div>
  );
}

interface TimeProps {
  readonly at: number;
  /** "2026-01-31 14:03:09" when left out, "14:03:09", or with milliseconds. */
  readonly show?: "time" | "milliseconds";
}

/** A time in UTC, written as in the logs. */
export function Time({ at, show }: TimeProps) {
  const iso = new Date(at).toISOString();
  const time = iso.slice(11, show === "milliseconds" ? 23 : 19);
  return <time datetime={iso}>{show === "time" ? time : `${iso.slice(0, 10)} ${time}`}</time>;
}

/** "1 mail", "2 mails". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

interface OpsMessage {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  readonly href: Place;
  readonly button: string;
}

/** A page with one message and a button. */
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
          <ButtonLink variant="plain" href={href}>
            {button}
          </ButtonLink>
        </div>
      </div>
    ),
  });
}

/** No page of the site would be shown either. */
const deadEnds: readonly string[] = [loopbackOnlyError.code, opsErrors.closed.code];

/** The page that browsers get instead of a problem document. */
export function opsProblemPage(
  site: OpsSite,
  { status, code, title, detail, requestId }: Problem,
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
        <h1>{status >= 500 ? "Something went wrong" : title}</h1>
        {(status >= 500 || detail !== `${title}.`) && <p class="lead breaks">{detail}</p>}
        {status >= 500 && (
          <p class="hint breaks">
            <code>instant doctor</code> checks every server and shows the fix. In the log: requestId{" "}
            {requestId}
          </p>
        )}
        {!deadEnds.includes(code) && (
          <div>
            <ButtonLink variant="plain" href={again ? path : "/"}>
              {again ? "Try again" : "Dashboard"}
            </ButtonLink>
          </div>
        )}
      </div>
    ),
  });
}
