import { raw } from "hono/html";
import type { Sections } from "../live-feed.ts";
import type { OpsSnapshot } from "../snapshot.ts";
import { Chart } from "./chart.tsx";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage, Time } from "./ops-page.tsx";
import { ReplayProgress } from "./replay-page.tsx";

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

function State({ reasons }: OpsSnapshot) {
  return reasons.length === 0 ? (
    <p class="state state-good">Mails flow</p>
  ) : (
    <div class="state state-bad">
      <p>Delivery is paused</p>
      <ul>
        {reasons.map((reason) => (
          <li>{reason}</li>
        ))}
      </ul>
    </div>
  );
}

function Figures({ inFlight, unfinished, lag, acceptance }: OpsSnapshot) {
  const records = lag.partitions.reduce((sum, partition) => sum + partition.records, 0);
  const seconds = Math.max(0, ...lag.partitions.map((partition) => partition.seconds));
  const figures = [
    [
      "Events that wait",
      String(records),
      records === 0 ? "all are finished" : `the oldest ${durationWords(seconds * 1000)}`,
    ],
    ["In flight", String(inFlight), `${unfinished} taken and not finished`],
    ["Asked to accepted, half", msWords(acceptance.p50), `${acceptance.count} mails in 5 min`],
    ["Asked to accepted, 99 %", msWords(acceptance.p99), "took at most so long"],
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
      {lag.problem !== undefined && <p class="trouble">{lag.problem}</p>}
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">Wait</th>
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
                {owner ?? "nobody"}{" "}
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

function msWords(ms: number | undefined): string {
  return ms === undefined ? "–" : durationWords(ms);
}

/** "120 ms", "1.4 s", "12 min", "3.2 h". */
export function durationWords(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
