import { raw } from "hono/html";
import type { Sections } from "../live-feed.ts";
import type { OpsSnapshot } from "../snapshot.ts";
import { Chart } from "./chart.tsx";
import { durationWords } from "./duration.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage, Time } from "./ops-page.tsx";
import { ReplayProgress } from "./replay-page.tsx";
import { State } from "./state.tsx";

/** The page that is live: what the server renders first is what it sends later. */
export function dashboardPage(site: OpsSite, snapshot: OpsSnapshot): Response {
  const sections = renderSections(snapshot);
  const part = (id: string) => raw(sections[id] ?? "");
  return opsPage({
    site,
    title: "Dashboard",
    place: "/",
    live: true,
    content: (
      <>
        <h1 class="page-title">Dashboard</h1>
        <div id="state" role="status">
          {part("state")}
        </div>
        <div id="figures">{part("figures")}</div>
        <section class="card" aria-labelledby="chart-title">
          <h2 id="chart-title">Mails per minute, last hour</h2>
          <div id="chart">{part("chart")}</div>
        </section>
        <section class="card" aria-labelledby="lag-title">
          <h2 id="lag-title">Partitions</h2>
          <div id="lag">{part("lag")}</div>
        </section>
        <section class="card" aria-labelledby="failures-title">
          <h2 id="failures-title">Last failures</h2>
          <div id="failures">{part("failures")}</div>
        </section>
        <p class="hint">
          Counts, times and failures are of this process since it started, on {snapshot.host}.
          Partitions are those of the whole group.
        </p>
      </>
    ),
  });
}

export function renderSections(snapshot: OpsSnapshot): Sections {
  return {
    state: String(<State {...snapshot} />),
    figures: String(<Figures {...snapshot} />),
    chart: String(<Chart minutes={snapshot.minutes} />),
    lag: String(<Lag {...snapshot} />),
    failures: String(<Failures {...snapshot} />),
    replay: String(<ReplayProgress state={snapshot.replay} />),
  };
}

function Figures({ inFlight, unfinished, lag, acceptance }: OpsSnapshot) {
  const records = lag.partitions.reduce((sum, partition) => sum + partition.records, 0);
  const seconds = Math.max(0, ...lag.partitions.map((partition) => partition.seconds));
  const oldest = `the oldest for ${durationWords(seconds * 1000)}`;
  const finished = unfinished === 0 ? "all are finished" : "the last are not finished";
  const waiting =
    lag.problem === undefined
      ? [String(records), records === 0 ? finished : oldest]
      : ["?", `not known now; ${records} before`];
  const { count, p50, p99 } = acceptance;
  const figures = [
    ["Events waiting", ...waiting],
    [
      "In flight",
      String(inFlight),
      unfinished > inFlight ? `${unfinished - inFlight} more wait their turn` : "by this process",
    ],
    ["Half accepted within", msWords(p50), "of being asked for"],
    ["99 % accepted within", msWords(p99), `of ${count} ${mails(count)} in 5 min`],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value, hint]) => (
        <div class="card">
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong>
            <span>{hint}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Lag({ lag, mine }: OpsSnapshot) {
  return (
    <>
      {lag.problem !== undefined && <p class="trouble">As last known. {lag.problem}</p>}
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">Waiting</th>
            <th scope="col">Oldest</th>
            <th scope="col">Read by</th>
          </tr>
        </thead>
        <tbody>
          {lag.partitions.map(({ partition, records, seconds, owner }) => (
            <tr>
              <th scope="row">{partition}</th>
              <td>{records}</td>
              <td>{records === 0 ? "–" : durationWords(seconds * 1000)}</td>
              <td class="words">
                {owner ?? <span class={records === 0 ? "" : "badge badge-bad"}>nobody</span>}{" "}
                {mine.includes(partition) && <span class="badge">this process</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Failures({ failures }: OpsSnapshot) {
  if (failures.length === 0) return <p class="lead">None since this process started.</p>;
  return (
    <ol class="mails">
      {failures.map(({ at, class: name, messageId, recipient, reason, times }) => (
        <li>
          <p class="mail-line">
            <Time at={at} />
            <span class="badge badge-bad">{name}</span>
            {messageId !== undefined && <a href={`/mails/${messageId}`}>{messageId}</a>}
            {recipient !== undefined && <span>{recipient}</span>}
            {times > 1 && <span>{times} times in a row</span>}
          </p>
          <p class="said">{reason}</p>
        </li>
      ))}
    </ol>
  );
}

function mails(count: number): string {
  return count === 1 ? "mail" : "mails";
}

function msWords(ms: number | undefined): string {
  return ms === undefined ? "–" : durationWords(ms);
}
