import type { Hono } from "hono";
import { emailAddressBound, parseEmailAddress } from "../../core/email-address.ts";
import { InstantError } from "../../core/errors.ts";
import { Button, ButtonLink, Field } from "../../core/html/controls.tsx";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { adviceOf } from "../dead-letters/dead-letter.ts";
import { isMessageId, messageIdPattern } from "../event.ts";
import type { MailTrace, TraceDeps } from "../timeline/timeline.ts";
import {
  changedAt,
  factLines,
  findMailsOf,
  findTrace,
  stateMeaning,
  stateWords,
  stepsOf,
  traceErrors,
  traceJson,
} from "../timeline/timeline.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsMessagePage, opsPage, Time } from "./ops-page.tsx";

interface SearchPageOptions {
  readonly site: OpsSite;
  /** What was typed. */
  readonly sought?: string;
  readonly error?: string;
  readonly found?: readonly MailTrace[];
}

/** Where a mail is looked for. The address goes in the form's body, so that no URL holds it. */
function searchPage({ site, sought = "", error, found }: SearchPageOptions): Response {
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

function StateBadge({ mail }: { readonly mail: MailTrace }) {
  const state = mail.record?.state ?? "rejected";
  const good = state === "accepted";
  const bad = state === "rejected" || state === "ambiguous";
  const look = good ? "badge" : bad ? "badge badge-bad" : "badge badge-plain";
  return <span class={look}>{stateWords(mail)}</span>;
}

/** The life of one mail. */
function mailPage(site: OpsSite, mail: MailTrace): Response {
  const { messageId, record, letter } = mail;
  return opsPage({
    site,
    title: "Mail",
    place: "/search",
    content: (
      <>
        <h1 class="page-title breaks">{messageId}</h1>
        <section class="card" aria-labelledby="facts-title">
          <h2 id="facts-title">
            <StateBadge mail={mail} />
          </h2>
          <dl class="facts">
            {record !== undefined && (
              <div>
                <dt>Mail</dt>
                <dd>
                  {record.eventType} to {record.recipient}
                </dd>
              </div>
            )}
            {factLines(mail).map(([name, words]) => (
              <div>
                <dt>{name}</dt>
                <dd>
                  <Words words={words} />
                </dd>
              </div>
            ))}
            {letter !== undefined && (
              <div>
                <dt>What to do</dt>
                <dd>{adviceOf(letter.facts.class)}</dd>
              </div>
            )}
          </dl>
          {letter !== undefined && (
            <form class="actions" method="post" action="/dead-letters/plan">
              <input type="hidden" name="id" value={messageId} />
              <ButtonLink
                look="plain"
                href={`/dead-letters/at/${letter.record.partition}/${letter.record.offset}`}
              >
                Show the dead letter
              </ButtonLink>
              <Button look="main">Put it back …</Button>
            </form>
          )}
        </section>
        <Steps mail={mail} />
      </>
    ),
  });
}

/** A time looks here as everywhere on the pages. */
function Words({ words }: { readonly words: string }) {
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(words) ? <Time at={Date.parse(words)} exact /> : words;
}

function Steps({ mail: { record } }: { readonly mail: MailTrace }) {
  const steps = record === undefined ? [] : stepsOf(record);
  return (
    <section class="card" aria-labelledby="steps-title">
      <h2 id="steps-title">Steps</h2>
      {steps.length === 0 && <p class="lead">The ledger does not know this mail.</p>}
      <ol class="steps">
        {steps.map(({ at, state, fence, owner, note }) => (
          <li>
            <p class="mail-line">
              <Time at={at} exact />
              <strong>{state}</strong>
              {stateMeaning(state)}
              <span class="whose">
                fence {fence}
                {owner === undefined ? "" : `, owner ${owner}`}
              </span>
            </p>
            {note !== undefined && <p class="said">{note}</p>}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** `/search` and `/mails/:id`. */
export function addSearchRoutes(
  app: Hono<HttpEnvironment>,
  deps: TraceDeps & { readonly site: OpsSite },
): void {
  const { site } = deps;
  app.get("/search", () => searchPage({ site }));
  app.post("/search", async (context) => {
    const form = new URLSearchParams(await context.req.text());
    const sought = (form.get("sought") ?? "").trim();
    if (isMessageId(sought)) return context.redirect(`/mails/${sought}`, 303);
    const recipient = parseEmailAddress(sought);
    if (recipient === undefined) {
      const error = sought.includes("@")
        ? `An address must be ${emailAddressBound}.`
        : "That is neither an address nor a message_id (1 to 128 letters, digits, dots, dashes, underscores).";
      return searchPage({ site, sought, error });
    }
    return searchPage({ site, sought, found: await findMailsOf(deps, recipient) });
  });
  app.get(`/mails/:id{${messageIdPattern}}`, async (context) => {
    const mail = await findTrace(deps, context.req.param("id"));
    if (mail !== undefined) return mailPage(site, mail);
    return opsMessagePage(site, {
      status: 404,
      title: "Not known",
      text: `${traceErrors.mailUnknown.meaning}.`,
      href: "/search",
      button: "Search again",
    });
  });
}

/** `GET /messages/:id`: the life of a mail as JSON. No search by address: it would be in the URL. */
export function addMessageRoutes(app: Hono<HttpEnvironment>, deps: TraceDeps): void {
  app.get(`/messages/:id{${messageIdPattern}}`, async (context) => {
    const trace = await findTrace(deps, context.req.param("id"));
    if (trace === undefined) throw new InstantError(traceErrors.mailUnknown);
    return context.json(traceJson(trace), 200, { "Cache-Control": "no-store" });
  });
}
