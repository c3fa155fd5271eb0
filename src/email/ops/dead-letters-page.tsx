import { Button, ButtonLink } from "../../core/html/page.tsx";
import { maskEmail } from "../../core/log.ts";
import type { DeadLetter } from "../dead-letters/dead-letter.ts";
import { adviceOf, deadLetterSummary, deadLettersReadMax } from "../dead-letters/dead-letter.ts";
import { boundedNote, boundedText } from "../ledger/record.ts";
import type { OpsSite } from "./ops-page.tsx";
import { counted, opsPage, Time } from "./ops-page.tsx";

interface DeadLettersPageOptions {
  readonly site: OpsSite;
  /** Dead letters of all classes, newest first. */
  readonly deadLetters: readonly DeadLetter[];
  /** "all", or the selected class. */
  readonly shown: string;
  /** Counted from 1. */
  readonly page: number;
}

const perPage = 25;

/** The newest dead letters by class, and the form that replays them. */
export function deadLettersPage({
  site,
  deadLetters,
  shown,
  page,
}: DeadLettersPageOptions): Response {
  const classes = Map.groupBy(deadLetters, classOf);
  const chosen = shown === "all" ? deadLetters : (classes.get(shown) ?? []);
  const advice = adviceOf(shown);
  const pages = Math.max(1, Math.ceil(chosen.length / perPage));
  return opsPage({
    site,
    title: "Dead-letter queue",
    place: "/dead-letters",
    content: (
      <>
        <h1 class="page-title">Dead-letter queue</h1>
        <Classes classes={classes} total={deadLetters.length} shown={shown} />
        <section class="card" aria-labelledby="dead-letters-title">
          <h2 id="dead-letters-title">{titleOf(chosen.length, shown)}</h2>
          {chosen.length > 0 && advice !== undefined && <p class="advice">{advice}</p>}
          <ol class="mails">
            {chosen.slice((page - 1) * perPage, page * perPage).map((deadLetter) => (
              <Row deadLetter={deadLetter} />
            ))}
          </ol>
          {pages > 1 && <Pages shown={shown} page={page} pages={pages} />}
          {deadLetters.length >= deadLettersReadMax && (
            <p class="hint">
              Shows the newest {deadLettersReadMax.toLocaleString("en")} of each partition.
            </p>
          )}
        </section>
        {chosen.length > 0 && <ReplayForm shown={shown} />}
      </>
    ),
  });
}

function titleOf(count: number, shown: string): string {
  if (count === 0) return "No dead letters";
  return shown === "all" ? counted(count, "dead letter") : `${count} ${shown}`;
}

interface ClassesProps {
  readonly classes: ReadonlyMap<string, readonly DeadLetter[]>;
  readonly total: number;
  readonly shown: string;
}

function Classes({ classes, total, shown }: ClassesProps) {
  const counts = [...classes].map(([name, { length }]) => [name, length] as const);
  const rows = [["all", total] as const, ...counts.toSorted(([, a], [, b]) => b - a)];
  return (
    <nav class="classes" aria-label="Classes">
      {rows.map(([name, count]) => (
        <a
          class="tab"
          href={name === "all" ? "/dead-letters" : `/dead-letters/of/${name}/1`}
          {...(name === shown ? { "aria-current": "page" } : {})}
        >
          {name} <strong>{count}</strong>
        </a>
      ))}
    </nav>
  );
}

function Row({ deadLetter }: { readonly deadLetter: DeadLetter }) {
  const { partition, offset, className, messageId, recipient, reason } =
    deadLetterSummary(deadLetter);
  return (
    <li>
      <p class="mail-line">
        <Time at={deadLetter.facts.failedAt ?? deadLetter.record.timestamp} />
        <span class="badge badge-bad">{className}</span>
        <a href={`/dead-letters/at/${partition}/${offset}`}>{messageId ?? "no message_id"}</a>
        {recipient !== undefined && <span>{recipient}</span>}
      </p>
      <p class="reason">{boundedText(reason)}</p>
    </li>
  );
}

function Pages({
  shown,
  page,
  pages,
}: Pick<DeadLettersPageOptions, "shown" | "page"> & { pages: number }) {
  const path = (to: number) => `/dead-letters/of/${shown}/${to}`;
  return (
    <nav class="pages" aria-label="Pages of dead letters">
      {page > 1 && <a href={path(page - 1)}>Newer</a>}
      <span>
        Page {page} of {pages}
      </span>
      {page < pages && <a href={path(page + 1)}>Older</a>}
    </nav>
  );
}

function ReplayForm({ shown }: { readonly shown: string }) {
  return (
    <form class="card stack" method="post" action="/dead-letters/plan">
      <h2>Replay</h2>
      <p class="lead">
        The dry run shows what would be replayed, and asks for confirmation. A mail that was
        accepted is never sent twice.
      </p>
      <input type="hidden" name="class" value={shown} />
      <label class="check">
        <input type="checkbox" name="too_old" value="yes" />
        <span>Include dead letters too old for the ledger: they may have been sent</span>
      </label>
      <div>
        <Button variant="main">Dry run …</Button>
      </div>
    </form>
  );
}

/** One dead letter: its headers, and its event with all secrets masked. */
export function deadLetterPage(site: OpsSite, deadLetter: DeadLetter): Response {
  const { record, facts, messageId } = deadLetter;
  const { className, recipient, reason } = deadLetterSummary(deadLetter);
  const origin = [facts.originalTopic, facts.originalPartition, facts.originalOffset];
  const rows: [string, string | undefined][] = [
    ["Class", className],
    ["Reason", boundedText(reason)],
    ["What to do", adviceOf(facts.class)],
    ["Recipient", recipient],
    ["Attempts", facts.attempts?.toString()],
    ["Replays", String(facts.replayCount)],
    ["Dead letter", `${record.topic}/${record.partition}/${record.offset}`],
    ["Event", facts.originalOffset === undefined ? undefined : origin.join("/")],
  ];
  return opsPage({
    site,
    title: "Dead letter",
    place: "/dead-letters",
    content: (
      <>
        <h1 class="page-title breaks">{messageId ?? "Dead letter without a message_id"}</h1>
        <section class="card" aria-labelledby="facts-title">
          <h2 id="facts-title">
            Dead-lettered at <Time at={facts.failedAt ?? record.timestamp} />
          </h2>
          <dl class="facts">
            {rows.map(([name, value]) =>
              value === undefined ? null : (
                <div>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ),
            )}
          </dl>
          {messageId !== undefined && (
            <form class="actions" method="post" action="/dead-letters/plan">
              <input type="hidden" name="id" value={messageId} />
              <ButtonLink variant="plain" href={`/mails/${messageId}`}>
                View timeline
              </ButtonLink>
              <Button variant="main">Replay …</Button>
            </form>
          )}
        </section>
        <section class="card" aria-labelledby="event-title">
          <h2 id="event-title">Event, masked</h2>
          <pre class="value">{previewValue(record.value)}</pre>
        </section>
      </>
    ),
  });
}

function classOf(deadLetter: DeadLetter): string {
  return deadLetter.facts.class ?? "unknown";
}

const previewCharsMax = 2000;
const depthMax = 5;
/** Fields shown unmasked: none of them is a secret. */
const openFields = new Set([
  "message_id",
  "event_type",
  "timestamp",
  "expires_at",
  "expires_in",
  "purpose",
  "locale",
]);

/**
 * What an operator may see of a dead letter's value: its structure, and what distinguishes mails.
 * Codes, links, names and addresses are masked. Of a value that is not JSON only the outline is
 * shown (letters as x, digits as 0), because it may contain anything. At most 2,000 characters.
 */
export function previewValue(value: Uint8Array | null): string {
  if (value === null) return "(no value)";
  const text = new TextDecoder().decode(value.subarray(0, 64 * 1024));
  const json = parseJson(text);
  if (json === undefined) return `${value.byteLength} bytes, not JSON: ${outline(text)}`;
  const masked = JSON.stringify(mask("", json, 0), null, 2) ?? "";
  return masked.slice(0, previewCharsMax);
}

function mask(name: string, value: unknown, depth: number): unknown {
  if (depth > depthMax) return "…";
  if (Array.isArray(value)) return value.slice(0, 20).map((item) => mask(name, item, depth + 1));
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).slice(0, 50);
    return Object.fromEntries(
      fields.map(([key, item]) => [boundedNote(key), mask(key, item, depth + 1)]),
    );
  }
  if (typeof value === "string" && openFields.has(name)) return boundedNote(value);
  if (typeof value === "string" && name === "recipient") return boundedNote(maskEmail(value));
  if (typeof value === "boolean" || value === null) return value;
  return "•••";
}

function outline(text: string): string {
  const start = text.slice(0, 200).replace(/\p{Cc}+/gu, " ");
  return start.replace(/\p{L}/gu, "x").replace(/\p{N}/gu, "0");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
