import { pageResponse } from "../../core/html/shell.tsx";
import type { Inbox, InboxMail } from "../mailer/kept-mails.ts";
import script from "./inbox.client.js" with { type: "text" };
import styles from "./inbox.css" with { type: "text" };

export interface InboxPageOptions {
  readonly inbox: Inbox;
  /** Where serve-auth answers, for the example on the empty page. */
  readonly authUrl: string;
}

const listMax = 100;

/** The page of the inbox: the newest mails, and the one with `openId` beside them. */
export function inboxPage({ inbox, authUrl }: InboxPageOptions, openId?: number): Response {
  const mails = inbox.list(listMax);
  const open = openId === undefined ? mails[0] : inbox.find(openId);
  const newest = String(mails[0]?.id ?? 0);
  return pageResponse({
    title: mails.length === 0 ? "Inbox" : `Inbox (${inbox.count()})`,
    styles,
    scripts: [script],
    body: () => (
      <main data-newest={newest} class={openId === undefined ? "" : "reading"}>
        <header class="top">
          <h1>Inbox</h1>
          <p>Mails are kept here and not sent: EMAIL_MODE is log. Not for production.</p>
        </header>
        {mails.length === 0 ? (
          <Empty authUrl={authUrl} />
        ) : (
          <div class="panes">
            <List mails={mails} openId={open?.id} />
            {open === undefined ? <Gone /> : <Mail mail={open} />}
          </div>
        )}
      </main>
    ),
  });
}

function List({ mails, openId }: { mails: readonly InboxMail[]; openId: number | undefined }) {
  return (
    <ol class="list" aria-label="Mails, newest first">
      {mails.map(({ id, to, subject, receivedAt }) => (
        <li>
          <a href={`/inbox/${id}`} {...(id === openId ? { "aria-current": "true" } : {})}>
            <strong>{to}</strong>
            <time datetime={new Date(receivedAt).toISOString()}>{clockTime(receivedAt)}</time>
            <span>{subject}</span>
          </a>
        </li>
      ))}
    </ol>
  );
}

function Mail({ mail }: { readonly mail: InboxMail }) {
  return (
    <article class="mail">
      <a class="back" href="/inbox">
        All mails
      </a>
      <h2>{mail.subject}</h2>
      <dl>
        <dt>To</dt>
        <dd>{mail.to}</dd>
        <dt>Received</dt>
        <dd>{new Date(mail.receivedAt).toISOString()}</dd>
        <dt>message_id</dt>
        <dd>{mail.messageId}</dd>
      </dl>
      <iframe title="The mail as HTML" sandbox="" src={`/inbox/${mail.id}/html`} />
      <details>
        <summary>Text</summary>
        <pre>{mail.text}</pre>
      </details>
    </article>
  );
}

function Gone() {
  return (
    <p class="empty">
      This mail is not kept any more. <a href="/inbox">All mails</a>
    </p>
  );
}

function Empty({ authUrl }: { readonly authUrl: string }) {
  return (
    <div class="empty">
      <p>No mail yet. Ask for a code, and it appears here:</p>
      <pre>
        {`curl -X POST ${authUrl}/auth/request-code \\\n  -H "Content-Type: application/json" \\\n  -d '{"email": "test@example.com"}'`}
      </pre>
    </div>
  );
}

/** 14:03:09, in UTC as in the logs. */
function clockTime(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}
