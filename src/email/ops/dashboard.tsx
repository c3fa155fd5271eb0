import { raw } from "hono/html";
import type { OpsSnapshot, Sections } from "./live-feed.ts";
import { describeOpenTransactions } from "./live-feed.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage, Time } from "./ops-page.tsx";
import type { MinuteCount, OutcomeSeries } from "./outcome-history.ts";
import { outcomeSeries } from "./outcome-history.ts";
import { ReplayProgress } from "./replay-page.tsx";

const names: Readonly<Record<OutcomeSeries, string>> = {
  accepted: "accepted",
  skipped: "not sent (duplicate, expired or suppressed)",
  retried: "tried again later",
  dead_letter: "dead letters",
};
const [height, step, bar] = [120, 10, 8] as const;

/** Stacked bars, one a minute, drawn by the server: nothing is loaded, nothing runs. */
function Chart({ minutes }: { readonly minutes: readonly MinuteCount[] }) {
  const most = Math.max(1, ...minutes.map(totalOf));
  const sums = outcomeSeries.map((series) => {
    return [series, minutes.reduce((sum, minute) => sum + minute[series], 0)] as const;
  });
  const summary = sums.map(([series, sum]) => `${sum} ${names[series]}`).join(", ");
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${minutes.length * step} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Mails per minute in the last hour: ${summary}; at most ${most} in a minute`}
      >
        {minutes.map((minute, index) => (
          <Bar minute={minute} left={index * step} scale={height / most} />
        ))}
      </svg>
      <p class="axis">
        <span>1 h ago</span>
        <span>at most {most} a minute</span>
        <span>now</span>
      </p>
      <ul class="legend">
        {sums.map(([series, sum]) => (
          <li>
            <span class={`swatch series-${series}`} aria-hidden="true" />
            {sum} {names[series]}
          </li>
        ))}
      </ul>
    </figure>
  );
}

interface BarProps {
  readonly minute: MinuteCount;
  readonly left: number;
  readonly scale: number;
}

function Bar({ minute, left, scale }: BarProps) {
  let top = height;
  return (
    <>
      {outcomeSeries.map((series) => {
        const count = minute[series];
        if (count === 0) return null;
        const size = Math.max(1, count * scale);
        top -= size;
        return (
          <rect
            class={`series-${series}`}
            x={left}
            y={round(top)}
            width={bar}
            height={round(size)}
          />
        );
      })}
    </>
  );
}

function totalOf(minute: MinuteCount): number {
  return outcomeSeries.reduce((sum, series) => sum + minute[series], 0);
}

function round(value: number): string {
  return value.toFixed(1);
}

/** "120 ms", "1.4 s", "12 min", "3.2 h". */
function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** An event that waits for longer makes a person wait. */
const lateSeconds = 60;

/** The first thing to read: whether mails flow; else why not, and where to go from there. */
function State({ reasons, lag }: Pick<OpsSnapshot, "reasons" | "lag">) {
  const late = [...lateReasons(lag), ...describeOpenTransactions(lag)];
  if (reasons.length > 0) {
    return (
      <div class="state state-bad">
        <p>Delivery is paused</p>
        <List words={reasons} />
        <p class="state-next">
          Mails wait meanwhile, and none is lost; but codes expire. <code>instant doctor</code> asks
          every server and says the mend.
        </p>
      </div>
    );
  }
  if (late.length === 0) return <p class="state state-good">Mails flow</p>;
  return (
    <div class="state state-late">
      <p>Some mails are late</p>
      <List words={late} />
    </div>
  );
}

function List({ words: reasons }: { readonly words: readonly string[] }) {
  return (
    <ul>
      {reasons.map((each) => (
        <li>{each}</li>
      ))}
    </ul>
  );
}

function lateReasons({ partitions, problem }: OpsSnapshot["lag"]): readonly string[] {
  if (problem !== undefined) return [];
  const waiting = partitions.filter(({ records }) => records > 0);
  const unread = waiting
    .filter(({ owner }) => owner === undefined)
    .map(({ partition, records }) => `Nobody reads partition ${partition}, where ${records} wait`);
  const seconds = Math.max(0, ...waiting.map((each) => each.seconds));
  if (seconds < lateSeconds) return unread;
  const oldest = formatDuration(seconds * 1000);
  return [
    ...unread,
    `The oldest event has waited for ${oldest}: see the last failures; with none there, add replicas`,
  ];
}

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
  const oldest = `the oldest for ${formatDuration(seconds * 1000)}`;
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
    ["Half accepted within", formatMs(p50), "of being asked for"],
    ["99 % accepted within", formatMs(p99), `of ${count} ${mails(count)} in 5 min`],
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
              <td>{records === 0 ? "–" : formatDuration(seconds * 1000)}</td>
              <td class="text">
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
          <p class="reason">{reason}</p>
        </li>
      ))}
    </ol>
  );
}

function mails(count: number): string {
  return count === 1 ? "mail" : "mails";
}

function formatMs(ms: number | undefined): string {
  return ms === undefined ? "–" : formatDuration(ms);
}
