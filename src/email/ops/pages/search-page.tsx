import { Button, Field } from "../../../core/html/controls.tsx";
import type { MailTrace } from "../../trace/trace.ts";
import { changedAt } from "../../trace/trace.ts";
import { stateWords } from "../../trace/trace-report.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage, Time } from "./ops-page.tsx";

export interface SearchPageOptions {
  readonly site: OpsSite;
  /** What was typed. */
  readonly sought?: string;
  readonly error?: string;
  readonly found?: readonly MailTrace[];
}

/** Where a mail is looked for. The address goes in the form's body, so that no URL holds it. */
export function searchPage({ site, sought = "", error, found }: SearchPageOptions): Response {
  return opsPage({
    site,
    title: "Search",
    place: "/search",
    status: error === undefined ? 200 : 422,
    content: (
      <>
        <h1 class="page-title">Search</h1>
        <form class="card stack" method="post" action="/search">
          <Field
            id="sought"
            label="Recipient's address or message_id"
            hint="A recipient's newest 50 mails of the last 24 h are found, and dead letters."
            error={error}
            input={(attributes) => (
              <input
                {...attributes}
                name="sought"
                value={sought}
                autocomplete="off"
                autocapitalize="none"
                spellcheck={false}
                maxlength={320}
                required
              />
            )}
          />
          <div>
            <Button look="main">Search</Button>
          </div>
        </form>
        {found !== undefined && <Found found={found} />}
      </>
    ),
  });
}

function Found({ found }: { readonly found: readonly MailTrace[] }) {
  const title = found.length === 1 ? "1 mail" : `${found.length} mails`;
  return (
    <section class="card" aria-labelledby="found-title">
      <h2 id="found-title">{found.length === 0 ? "No mail is known" : title}</h2>
      {found.length === 0 && (
        <p class="lead">
          It was not consumed yet, or it is forgotten: the ledger keeps a mail for 24 h.
        </p>
      )}
      <ol class="mails">
        {found.map((mail) => (
          <li>
            <p class="mail-line">
              <Time at={changedAt(mail)} />
              <StateBadge mail={mail} />
              <a href={`/mails/${mail.messageId}`}>{mail.messageId}</a>
              <span>{mail.record?.eventType ?? ""}</span>
            </p>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function StateBadge({ mail }: { readonly mail: MailTrace }) {
  const state = mail.record?.state ?? "rejected";
  const good = state === "accepted";
  const bad = state === "rejected" || state === "ambiguous";
  const look = good ? "badge" : bad ? "badge badge-bad" : "badge badge-plain";
  return <span class={look}>{stateWords(mail)}</span>;
}
