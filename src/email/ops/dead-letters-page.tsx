import { Button } from "../../core/html/controls.tsx";
import { maskEmail } from "../../core/log.ts";
import type { DeadLetter } from "../dead-letters/dead-letter.ts";
import {
  adviceOf,
  deadLetterSummary,
  deadLettersSearchedMax,
} from "../dead-letters/dead-letter.ts";
import { boundedNote, boundedText } from "../ledger/record.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage, Time } from "./ops-page.tsx";

const previewCharsMax = 2000;
const depthMax = 5;
/** Shown as they are: none of them opens anything. */
const open = new Set([
  "message_id",
  "event_type",
  "timestamp",
  "expires_at",
  "expires_in",
  "purpose",
  "locale",
]);

/**
 * What an operator may see of a dead letter's value: its shape and what tells mails apart. Codes,
 * links, names and addresses are masked; of what is no JSON, only the outline is shown (letters as x,
 * digits as 0), because anything may stand in it. At most 2,000 characters.
 */
export function previewValue(value: Uint8Array | null): string {
  if (value === null) return "(no value)";
  const text = new TextDecoder().decode(value.subarray(0, 64 * 1024));
  const json = parse(text);
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
  if (typeof value === "string" && open.has(name)) return boundedNote(value);
  if (typeof value === "string" && name === "recipient") return boundedNote(maskEmail(value));
  if (typeof value === "boolean" || value === null) return value;
  return "•••";
}

function outline(text: string): string {
  const start = text.slice(0, 200).replace(/\p{Cc}+/gu, " ");
  return start.replace(/\p{L}/gu, "x").replace(/\p{N}/gu, "0");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface DeadLettersPageOptions {
  readonly site: OpsSite;
  /** All that were looked at, newest first. */
  readonly deadLetters: readonly DeadLetter[];
  /** "all", or the class that is shown. */
  readonly shown: string;
  /** From 1. */
  readonly page: number;
}

const perPage = 25;

/** The newest dead letters, by class, and the way to put them back. */
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
    title: "Dead letters",
    place: "/dead-letters",
    content: (
      <>
        <h1 class="page-title">Dead letters</h1>
        <Classes classes={classes} total={deadLetters.length} shown={shown} />
        <section class="card" aria-labelledby="dead-letters-title">
          <h2 id="dead-letters-title">
            {chosen.length === 0
              ? "None"
              : `${chosen.length} ${shown === "all" ? "in all" : shown}`}
          </h2>
          {chosen.length > 0 && advice !== undefined && <p class="advice">{advice}</p>}
          <ol class="mails">
            {chosen.slice((page - 1) * perPage, page * perPage).map((deadLetter) => (
              <Row letter={deadLetter} />
            ))}
          </ol>
          {pages > 1 && <Pages shown={shown} page={page} pages={pages} />}
          {deadLetters.length >= deadLettersSearchedMax && (
            <p class="hint">Older ones than the newest {deadLettersSearchedMax} are not shown.</p>
          )}
        </section>
        {chosen.length > 0 && <ReplayForm shown={shown} />}
      </>
    ),
  });
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

function Row({ letter: deadLetter }: { readonly letter: DeadLetter }) {
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
    <nav class="pages" aria-label="Further letters">
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
      <h2>Put back</h2>
      <p class="lead">
        First a dry run: the next page says what would be sent again, and asks. A mail that was
        accepted is never sent twice.
      </p>
      <input type="hidden" name="class" value={shown} />
      <label class="check">
        <input type="checkbox" name="forgotten" value="yes" />
        <span>Also those that are too old for the ledger: they may have been sent</span>
      </label>
      <div>
        <Button variant="main">Look what would be put back …</Button>
      </div>
    </form>
  );
}

/** One letter: what it says of itself, and the event with all that is secret masked. */
export function deadLetterPage(site: OpsSite, deadLetter: DeadLetter): Response {
  const { record, facts, messageId } = deadLetter;
  const { className, recipient, reason } = deadLetterSummary(deadLetter);
  const origin = [facts.originalTopic, facts.originalPartition, facts.originalOffset];
  const rows: [string, string | undefined][] = [
    ["Class", className],
    ["Reason", boundedText(reason)],
    ["What to do", adviceOf(facts.class)],
    ["Recipient", recipient],
    ["Tries", facts.attempts?.toString()],
    ["Replays", String(facts.replayCount)],
    ["Lies at", `${record.topic}/${record.partition}/${record.offset}`],
    ["Event was at", facts.originalOffset === undefined ? undefined : origin.join("/")],
  ];
  return opsPage({
    site,
    title: "Dead letter",
    place: "/dead-letters",
    content: (
      <>
        <h1 class="page-title breaks">{messageId ?? "Dead letter without message_id"}</h1>
        <section class="card" aria-labelledby="facts-title">
          <h2 id="facts-title">
            Given up <Time at={facts.failedAt ?? record.timestamp} />
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
              <a class="button button-plain" href={`/mails/${messageId}`}>
                Show the mail
              </a>
              <Button variant="main">Put it back …</Button>
            </form>
          )}
        </section>
        <section class="card" aria-labelledby="event-title">
          <h2 id="event-title">The event, masked</h2>
          <pre class="value">{previewValue(record.value)}</pre>
        </section>
      </>
    ),
  });
}

function classOf(deadLetter: DeadLetter): string {
  return deadLetter.facts.class ?? "unknown";
}
