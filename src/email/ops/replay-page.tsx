import { raw } from "hono/html";
import { unreachable } from "../../core/errors.ts";
import { Button, ButtonLink } from "../../core/html/controls.tsx";
import { deadLetterSummary } from "../dead-letters/dead-letter.ts";
import type { ReplayPlan } from "../dead-letters/replay.ts";
import { replayTotal } from "../dead-letters/replay-plan.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage } from "./ops-page.tsx";
import type { ReplayState } from "./replay-job.ts";

/** The dry run, and the question. `fields`: what the answer has to carry. */
export function planPage(
  site: OpsSite,
  plan: ReplayPlan,
  fields: Readonly<Record<string, string>>,
): Response {
  const total = replayTotal(plan.histogram);
  const rows = [...plan.histogram].toSorted(([, a], [, b]) => b.deadLetters - a.deadLetters);
  return opsPage({
    site,
    title: "Put back",
    place: "/dead-letters",
    content: (
      <>
        <h1 class="page-title">Dry run</h1>
        <section class="card" aria-labelledby="plan-title">
          <h2 id="plan-title">
            {total === 0 ? "Nothing would be put back" : `${total} would be put back`}
          </h2>
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">Class</th>
                <th scope="col">Letters</th>
                <th scope="col">Put back</th>
                <th scope="col">Left out</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([name, { deadLetters, replay, skipped }]) => (
                <tr>
                  <th scope="row">{name}</th>
                  <td>{deadLetters}</td>
                  <td>{replay}</td>
                  <td class="why">
                    {[...skipped].map(([why, count]) => `${count} ${why}`).join(", ") || "–"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <form class="actions" method="post" action="/dead-letters/replay">
            {Object.entries(fields).map(([name, value]) => (
              <input type="hidden" name={name} value={value} />
            ))}
            <ButtonLink variant="plain" href="/dead-letters">
              Leave them
            </ButtonLink>
            {total > 0 && <Button variant="danger">{`Put ${total} back`}</Button>}
          </form>
        </section>
        {plan.first.length > 0 && <First plan={plan} total={total} />}
      </>
    ),
  });
}

function First({ plan, total }: { readonly plan: ReplayPlan; readonly total: number }) {
  return (
    <section class="card" aria-labelledby="first-title">
      <h2 id="first-title">
        {plan.first.length === total ? "These" : `The first ${plan.first.length}`}
      </h2>
      <ol class="mails">
        {plan.first.map((deadLetter) => {
          const { partition, offset, className, messageId, recipient } =
            deadLetterSummary(deadLetter);
          return (
            <li>
              <p class="mail-line">
                <span class="badge badge-bad">{className}</span>
                <a href={`/dead-letters/at/${partition}/${offset}`}>
                  {messageId ?? "no message_id"}
                </a>
                <span>{recipient ?? ""}</span>
              </p>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

export function progressPage(site: OpsSite, state: ReplayState): Response {
  return opsPage({
    site,
    title: "Replay",
    place: "/dead-letters",
    live: true,
    content: (
      <>
        <h1 class="page-title">Replay</h1>
        <section class="card stack" aria-label="Progress">
          <div id="replay" role="status">
            {raw(String(<ReplayProgress state={state} />))}
          </div>
          <p>
            <a href="/dead-letters">Dead letters</a>
          </p>
        </section>
      </>
    ),
  });
}

export function ReplayProgress({ state }: { readonly state: ReplayState }) {
  switch (state.kind) {
    case "none":
      return <p>No replay was begun since this process started.</p>;
    case "running":
      return (
        <>
          <p>
            {state.replayed} of {state.total} put back
          </p>
          <progress max={state.total} value={state.replayed} aria-label="Put back" />
          <form class="actions" method="post" action="/dead-letters/stop">
            <Button variant="danger-plain">Stop after this batch</Button>
          </form>
        </>
      );
    case "ended":
      return (
        <p class={`state ${state.complete ? "state-good" : "state-bad"}`}>
          {state.complete
            ? `Done: ${state.replayed} put back. They are events again, and are sent like any other`
            : `Stopped after ${state.replayed}; what was put back stays so`}
        </p>
      );
    case "failed":
      return <p class="state state-bad">{`Failed after ${state.replayed}: ${state.reason}`}</p>;
    default:
      return unreachable(state);
  }
}
