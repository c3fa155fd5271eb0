import type { Hono, MiddlewareHandler } from "hono";
import { Button, Field } from "../../../core/html/page.tsx";
import type { HttpEnvironment } from "../../../core/http/problem.ts";
import { problemResponse } from "../../../core/http/problem.ts";
import { opsErrors } from "../../ops/access.ts";
import type { LiveFeed } from "../../ops/live-feed.ts";
import type { OpsSite } from "../../ops/ops-page.tsx";
import { opsPage, Time } from "../../ops/ops-page.tsx";
import { mailFrame } from "../../templates/layout.tsx";
import { composeMime } from "../smtp/mime.ts";
import script from "./inbox.client.js" with { type: "text" };
import styles from "./inbox.css" with { type: "text" };
import type { Inbox, InboxMail } from "./inbox.ts";

/** The sender of the mails. */
interface MailSender {
  readonly address: string;
  readonly name: string | undefined;
}

interface InboxPageOptions {
  readonly inbox: Inbox;
  readonly site: OpsSite;
  /** The URL of serve-auth, for the example on the empty page. */
  readonly authUrl: string;
  readonly sender: MailSender;
}

interface InboxRouteDeps extends InboxPageOptions {
  /** Access control for operators, because mails contain codes. */
  readonly guard: MiddlewareHandler<HttpEnvironment>;
  /** Sends the id of the newest mail. */
  readonly feed: LiveFeed;
}

const queryCharsMax = 320;

/**
 * Adds the inbox of EMAIL_MODE=log to an app. Searches are posted, so that no URL contains them.
 */
export function addInboxRoutes(app: Hono<HttpEnvironment>, options: InboxRouteDeps): void {
  const { inbox, guard, feed } = options;
  app.use("/inbox/*", guard);
  app.get("/inbox", () => inboxPage(options));
  app.get("/inbox/live", (context) => {
    return feed.watch() ?? problemResponse(context, opsErrors.tooManyWatchers);
  });
  app.get("/inbox/search", (context) => context.redirect("/inbox", 303));
  app.post("/inbox/search", async (context) => {
    const typed = new URLSearchParams(await context.req.text()).get("query") ?? "";
    const query = typed.trim().slice(0, queryCharsMax);
    return query === "" ? context.redirect("/inbox", 303) : inboxPage(options, { query });
  });
  app.post("/inbox/clear", async (context) => {
    await inbox.clear();
    return context.redirect("/inbox", 303);
  });
  app.get("/inbox/:id{\\d{1,15}}", (context) =>
    inboxPage(options, { openId: Number(context.req.param("id")) }),
  );
  app.get("/inbox/:id{\\d{1,15}}/html", (context) => {
    const mail = inbox.find(Number(context.req.param("id")));
    return mail === undefined ? context.notFound() : mailFrame(mail.html);
  });
}

/** What to show; the newest mails if nothing is set. */
interface View {
  readonly openId?: number;
  readonly query?: string;
}

const listMax = 100;

/** The list of the newest or found mails, and one open mail. */
function inboxPage(options: InboxPageOptions, { openId, query }: View = {}): Response {
  const { inbox, authUrl, site, sender } = options;
  const mails = query === undefined ? inbox.list(listMax) : inbox.search(query, listMax);
  const count = inbox.count();
  const chosen = openId === undefined ? mails[0] : inbox.find(openId);
  const newest = query === undefined ? { "data-newest": String(mails[0]?.id ?? 0) } : {};
  return opsPage({
    site,
    title: count === 0 ? "Inbox" : `Inbox (${count})`,
    place: "/inbox",
    styles,
    scripts: [script],
    content: (
      <div class={openId === undefined ? "inbox" : "inbox reading"}>
        <header>
          <h1 class="page-title">Inbox</h1>
          <p class="warning">
            Not for production: EMAIL_MODE is log, so mails are kept here, with their codes, and not
            sent. The newest 1,000 are kept.
          </p>
          <Tools count={count} query={query} />
        </header>
        <div class="panes">
          <section class="list card" id="mails" aria-label="Mails, newest first" {...newest}>
            {mails.length === 0 && (
              <p class="lead">{query === undefined ? "No mail yet" : "No mail contains this"}</p>
            )}
            <List mails={mails} openId={chosen?.id} />
          </section>
          <section class="mail card" id="mail" aria-label="The open mail">
            <Pane
              mail={chosen}
              isRequested={openId !== undefined}
              {...{ count, authUrl, sender }}
            />
          </section>
        </div>
      </div>
    ),
  });
}

function Tools({ count, query }: { readonly count: number; readonly query: string | undefined }) {
  return (
    <div class="tools">
      <form class="search" method="post" action="/inbox/search">
        <Field
          id="query"
          label="Search"
          input={(attributes) => (
            <input
              {...attributes}
              name="query"
              value={query ?? ""}
              placeholder="Recipient, subject, text or message_id"
              autocomplete="off"
              maxlength={queryCharsMax}
            />
          )}
        />
        <Button variant="plain">Search</Button>
      </form>
      {query !== undefined && <a href="/inbox">All mails</a>}
      <div id="clear">
        {count > 0 && (
          <details class="clear">
            <summary>Clear …</summary>
            <form method="post" action="/inbox/clear">
              <Button variant="danger">{`Remove all ${count} mails`}</Button>
            </form>
          </details>
        )}
      </div>
    </div>
  );
}

function List({ mails, openId }: { mails: readonly InboxMail[]; openId: number | undefined }) {
  return (
    <ol>
      {mails.map(({ id, to, subject, receivedAt }) => (
        <li>
          <a href={`/inbox/${id}`} {...(id === openId ? { "aria-current": "true" } : {})}>
            <strong>{to}</strong>
            <Time at={receivedAt} show="time" />
            <span>{subject}</span>
          </a>
        </li>
      ))}
    </ol>
  );
}

interface PaneProps {
  readonly mail: InboxMail | undefined;
  /** A certain mail was requested. */
  readonly isRequested: boolean;
  readonly count: number;
  readonly authUrl: string;
  readonly sender: MailSender;
}

function Pane({ mail, isRequested, count, authUrl, sender }: PaneProps) {
  if (mail !== undefined) return <InboxMailView mail={mail} sender={sender} />;
  if (isRequested) {
    return (
      <p>
        This mail is no longer kept. <a href="/inbox">All mails</a>
      </p>
    );
  }
  return count === 0 ? <Empty authUrl={authUrl} /> : <p class="lead">No mail is open.</p>;
}

function Empty({ authUrl }: { readonly authUrl: string }) {
  return (
    <div class="stack">
      <p>Request a code, and it appears here:</p>
      <pre>
        {`curl -X POST ${authUrl}/auth/request-code \\\n  -H "Content-Type: application/json" \\\n  -d '{"email": "test@example.com"}'`}
      </pre>
    </div>
  );
}

/** A code as it appears in our mails. */
const codePattern = /(?<![\w-])\d{6}(?![\w-])/;

interface InboxMailViewProps {
  readonly mail: InboxMail;
  readonly sender: MailSender;
}

/** One mail: its code to copy, its HTML in a frame, text, headers and source. */
function InboxMailView({ mail, sender }: InboxMailViewProps) {
  const { headers, all } = mailSource(mail, sender);
  const code = codePattern.exec(mail.text)?.[0];
  return (
    <article>
      <a class="back" href="/inbox">
        All mails
      </a>
      <h2>{mail.subject}</h2>
      <dl class="facts">
        {factsOf(mail).map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {code !== undefined && (
        <p class="code">
          <strong data-code>{code}</strong>
          <button type="button" class="button button-plain" data-copy>
            Copy the code
          </button>
          <span role="status" />
        </p>
      )}
      <iframe title="The mail as HTML" sandbox="" src={`/inbox/${mail.id}/html`} />
      <Source title="Text" source={mail.text} />
      <Source title="HTML source" source={mail.html} />
      <Source title="Headers" source={headers} />
      <Source title="Whole source, as it would be sent" source={all} />
      <p>
        <a href={`/mails/${mail.messageId}`}>Timeline of this mail</a>
      </p>
    </article>
  );
}

function Source({ title, source }: { readonly title: string; readonly source: string }) {
  return (
    <details>
      <summary>{title}</summary>
      <pre tabindex={0}>{source}</pre>
    </details>
  );
}

function factsOf({ to, receivedAt, messageId }: InboxMail) {
  return [
    ["To", to],
    ["Received", <Time at={receivedAt} />],
    ["message_id", messageId],
  ];
}

/**
 * The mail as EMAIL_MODE=smtp would send it, without a DKIM signature, with line ends for a page.
 * `headers`: the part before the first empty line.
 */
function mailSource(mail: InboxMail, sender: MailSender): { headers: string; all: string } {
  const { to, subject, text, html, receivedAt } = mail;
  const { "Message-ID": messageId = "", ...headers } = mail.headers;
  const date = new Date(receivedAt);
  const content = composeMime({ from: sender, to, subject, messageId, date, text, html, headers });
  const all = content.toString("utf8").replaceAll("\r\n", "\n");
  return { headers: all.slice(0, all.indexOf("\n\n")), all };
}
