import type { Hono } from "hono";
import { addressProblem, parseEmailAddress } from "../../core/email-address.ts";
import { InstantError } from "../../core/errors.ts";
import { Button, ButtonLink, Field } from "../../core/html/page.tsx";
import type { HttpEnvironment } from "../../core/http/problem.ts";
import { adviceOf } from "../dead-letters/dead-letter.ts";
import { isMessageId, messageIdPattern } from "../event.ts";
import type { MailTimeline, TimelineDeps } from "../timeline/timeline.ts";
import {
  changedAt,
  factLines,
  findMailsOf,
  findTimeline,
  stateMeaning,
  stateText,
  stepsOf,
  timelineErrors,
  timelineJson,
} from "../timeline/timeline.ts";
import type { OpsSite } from "./ops-page.tsx";
import { counted, opsMessagePage, opsPage, Time } from "./ops-page.tsx";

interface SearchPageOptions {
  readonly site: OpsSite;
  readonly query?: string;
  readonly error?: string;
  readonly found?: readonly MailTimeline[];
}

/** The search for mails. The address is sent in the form's body, so that no URL contains it. */
function searchPage({ site, query = "", error, found }: SearchPageOptions): Response {
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
            id="query"
            label="Recipient's address or message_id"
            hint="Finds a recipient's newest 50 mails of the last 24 h, and dead letters."
            error={error}
            input={(attributes) => (
              <input
                {...attributes}
                name="query"
                value={query}
                autocomplete="off"
                autocapitalize="none"
                spellcheck={false}
                maxlength={320}
                required
              />
            )}
          />
          <div>
            <Button variant="main">Search</Button>
          </div>
        </form>
        {found !== undefined && <Found found={found} />}
      </>
    ),
  });
}

function Found({ found }: { readonly found: readonly MailTimeline[] }) {
  return (
    <section class="card" aria-labelledby="found-title">
      <h2 id="found-title">
        {found.length === 0 ? "No mail found" : counted(found.length, "mail")}
      </h2>
      {found.length === 0 && (
        <p class="lead">
          It has not been consumed yet, or it is too old: the ledger keeps a mail for 24 h.
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

function StateBadge({ mail }: { readonly mail: MailTimeline }) {
  const state = mail.record?.state ?? "rejected";
  const good = state === "accepted";
  const bad = state === "rejected" || state === "ambiguous";
  const badgeClass = good ? "badge" : bad ? "badge badge-bad" : "badge badge-plain";
  return <span class={badgeClass}>{stateText(mail)}</span>;
}

/** The timeline of one mail. */
function mailPage(site: OpsSite, mail: MailTimeline): Response {
  const { messageId, record, deadLetter } = mail;
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
            {factLines(mail).map(([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>
                  <FactValue value={value} />
                </dd>
              </div>
            ))}
            {deadLetter !== undefined && (
              <div>
                <dt>What to do</dt>
                <dd>{adviceOf(deadLetter.facts.class)}</dd>
              </div>
            )}
          </dl>
          {deadLetter !== undefined && (
            <form class="actions" method="post" action="/dead-letters/plan">
              <input type="hidden" name="id" value={messageId} />
              <ButtonLink
                variant="plain"
                href={`/dead-letters/at/${deadLetter.record.partition}/${deadLetter.record.offset}`}
              >
                View dead letter
              </ButtonLink>
              <Button variant="main">Replay …</Button>
            </form>
          )}
        </section>
        <Steps mail={mail} />
      </>
    ),
  });
}

/** The facts contain times in ISO 8601, meant for the command line. */
function FactValue({ value }: { readonly value: string }) {
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return value;
  return <Time at={Date.parse(value)} show="milliseconds" />;
}

function Steps({ mail: { record } }: { readonly mail: MailTimeline }) {
  const steps = record === undefined ? [] : stepsOf(record);
  return (
    <section class="card" aria-labelledby="steps-title">
      <h2 id="steps-title">Timeline</h2>
      {steps.length === 0 && <p class="lead">The ledger has no record of this mail.</p>}
      <ol class="steps">
        {steps.map(({ at, state, fence, owner, note }) => (
          <li>
            <p class="mail-line">
              <Time at={at} show="milliseconds" />
              <strong>{state}</strong>
              {stateMeaning(state)}
              <span class="owner">
                fence {fence}
                {owner === undefined ? "" : `, owner ${owner}`}
              </span>
            </p>
            {note !== undefined && <p class="reason">{note}</p>}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** `/search` and `/mails/:id`. */
export function addSearchRoutes(
  app: Hono<HttpEnvironment>,
  deps: TimelineDeps & { readonly site: OpsSite },
): void {
  const { site } = deps;
  app.get("/search", () => searchPage({ site }));
  app.post("/search", async (context) => {
    const form = new URLSearchParams(await context.req.text());
    const query = (form.get("query") ?? "").trim();
    if (isMessageId(query)) return context.redirect(`/mails/${query}`, 303);
    const recipient = parseEmailAddress(query);
    if (recipient === undefined) {
      const error = query.includes("@")
        ? `An address ${addressProblem(query)}.`
        : "Neither an address nor a message_id (1 to 128 letters, digits, dots, dashes, underscores).";
      return searchPage({ site, query, error });
    }
    return searchPage({ site, query, found: await findMailsOf(deps, recipient) });
  });
  app.get(`/mails/:id{${messageIdPattern}}`, async (context) => {
    const mail = await findTimeline(deps, context.req.param("id"));
    if (mail !== undefined) return mailPage(site, mail);
    return opsMessagePage(site, {
      status: 404,
      title: "Mail not found",
      text: `${timelineErrors.mailUnknown.meaning}.`,
      href: "/search",
      button: "Search again",
    });
  });
}

/** `GET /messages/:id`: the timeline as JSON. No search by address: it would be in the URL. */
export function addMessageRoutes(app: Hono<HttpEnvironment>, deps: TimelineDeps): void {
  app.get(`/messages/:id{${messageIdPattern}}`, async (context) => {
    const timeline = await findTimeline(deps, context.req.param("id"));
    if (timeline === undefined) throw new InstantError(timelineErrors.mailUnknown);
    return context.json(timelineJson(timeline), 200, { "Cache-Control": "no-store" });
  });
}
