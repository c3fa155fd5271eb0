import { Button, ButtonLink } from "../../../core/html/controls.tsx";
import { adviceOf } from "../../dead-letters/class-advice.ts";
import type { MailTrace } from "../../trace/trace.ts";
import { factLines, stateMeaning, stepsOf } from "../../trace/trace-report.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage, Time } from "./ops-page.tsx";
import { StateBadge } from "./search-page.tsx";

/** The life of one mail. */
export function mailPage(site: OpsSite, mail: MailTrace): Response {
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
