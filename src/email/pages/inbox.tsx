import { Button, Field } from "../../core/html/controls.tsx";
import type { Inbox, InboxMail } from "../mailer/kept-mails.ts";
import type { OpsSite } from "../ops/pages/ops-page.tsx";
import { opsPage } from "../ops/pages/ops-page.tsx";
import script from "./inbox.client.js" with { type: "text" };
import styles from "./inbox.css" with { type: "text" };
import { KeptMail } from "./kept-mail.tsx";
import type { MailSender } from "./mail-source.ts";

export interface InboxPageOptions {
  readonly inbox: Inbox;
  readonly site: OpsSite;
  /** Where serve-auth answers, for the example on the empty page. */
  readonly authUrl: string;
  readonly sender: MailSender;
}

/** What is looked at; nothing: the newest mails. */
interface View {
  readonly openId?: number;
  readonly words?: string;
}

const listMax = 100;

/** The page of the inbox: the newest mails or those that were searched for, and one of them. */
export function inboxPage(options: InboxPageOptions, { openId, words }: View = {}): Response {
  const { inbox, authUrl, site, sender } = options;
  const mails = words === undefined ? inbox.list(listMax) : inbox.search(words, listMax);
  const count = inbox.count();
  const chosen = openId === undefined ? mails[0] : inbox.find(openId);
  const newest = words === undefined ? { "data-newest": String(mails[0]?.id ?? 0) } : {};
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
            Not for production: EMAIL_MODE is log, so mails are kept here, with their codes, and
            sent to nobody. The newest 1,000 are kept.
          </p>
          <Tools count={count} words={words} />
        </header>
        <div class="panes">
          <section class="list card" id="mails" aria-label="Mails, newest first" {...newest}>
            {mails.length === 0 && <p class="lead">{emptyWords(words)}</p>}
            <List mails={mails} openId={chosen?.id} />
          </section>
          <section class="mail card" id="mail" aria-label="The open mail">
            <Pane mail={chosen} isKnown={openId !== undefined} {...{ count, authUrl, sender }} />
          </section>
        </div>
      </div>
    ),
  });
}

function emptyWords(words: string | undefined): string {
  return words === undefined ? "No mail yet" : "No mail holds these words";
}

function Tools({ count, words }: { readonly count: number; readonly words: string | undefined }) {
  return (
    <div class="tools">
      <form class="search" method="post" action="/inbox/search">
        <Field
          id="words"
          label="Search"
          input={(attributes) => (
            <input
              {...attributes}
              name="words"
              value={words ?? ""}
              placeholder="Recipient, subject, text or message_id"
              autocomplete="off"
              maxlength={320}
            />
          )}
        />
        <Button look="plain">Search</Button>
      </form>
      {words !== undefined && <a href="/inbox">All mails</a>}
      <div id="clear">
        {count > 0 && (
          <details class="clear">
            <summary>Clear …</summary>
            <form method="post" action="/inbox/clear">
              <Button look="danger">{`Remove all ${count} mails`}</Button>
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
            <time datetime={new Date(receivedAt).toISOString()}>{clockTime(receivedAt)}</time>
            <span>{subject}</span>
          </a>
        </li>
      ))}
    </ol>
  );
}

interface PaneProps {
  readonly mail: InboxMail | undefined;
  /** A mail was asked for. */
  readonly isKnown: boolean;
  readonly count: number;
  readonly authUrl: string;
  readonly sender: MailSender;
}

function Pane({ mail, isKnown, count, authUrl, sender }: PaneProps) {
  if (mail !== undefined) return <KeptMail mail={mail} sender={sender} />;
  if (isKnown) {
    return (
      <p>
        This mail is not kept any more. <a href="/inbox">All mails</a>
      </p>
    );
  }
  return count === 0 ? <Empty authUrl={authUrl} /> : <p class="lead">Nothing to show.</p>;
}

function Empty({ authUrl }: { readonly authUrl: string }) {
  return (
    <div class="stack">
      <p>Ask for a code, and it appears here:</p>
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
