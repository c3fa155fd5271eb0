import { hostname } from "node:os";
import { raw } from "hono/html";
import type { EmailWorker } from "../delivery/worker.ts";
import type { LagReader, LagState } from "../event-log/lag-reader.ts";
import type { ReplayJob, ReplayState } from "./dead-letter-routes.tsx";
import { ReplayProgress } from "./dead-letter-routes.tsx";
import type {
  AcceptanceSummary,
  Failure,
  MinuteCount,
  OutcomeHistory,
  OutcomeSeries,
  Sections,
} from "./live-feed.ts";
import { outcomeSeries } from "./live-feed.ts";
import type { OpsSite } from "./ops-page.tsx";
import { counted, opsPage, Time } from "./ops-page.tsx";

/** A snapshot of all that the live pages show. */
export interface OpsSnapshot {
  readonly host: string;
  /** Why delivery is paused; empty while it runs. */
  readonly pausedReasons: readonly string[];
  readonly inFlight: number;
  readonly unfinished: number;
  /** The partitions that this process reads. */
  readonly ownPartitions: readonly number[];
  readonly lag: LagState;
  readonly minutes: readonly MinuteCount[];
  readonly acceptance: AcceptanceSummary;
  readonly failures: readonly Failure[];
  readonly replay: ReplayState;
}

interface SnapshotSources {
  readonly worker: Pick<EmailWorker, "pausedReasons" | "subscription">;
  readonly history: OutcomeHistory;
  readonly lag: Pick<LagReader, "state">;
  readonly replay: Pick<ReplayJob, "state">;
}

export async function takeSnapshot(sources: SnapshotSources): Promise<OpsSnapshot> {
  const { worker, history, lag, replay } = sources;
  const lagState = await lag.state();
  const stats = worker.subscription?.stats;
  return {
    host: hostname(),
    pausedReasons: worker.pausedReasons,
    inFlight: stats?.inFlight ?? 0,
    unfinished: stats?.unfinished ?? 0,
    ownPartitions: stats?.partitions ?? [],
    lag: lagState,
    minutes: history.minutes(),
    acceptance: history.acceptance(),
    failures: history.failures(),
    replay: replay.state,
  };
}

/** The page starts with the same sections that the live feed updates. */
export function dashboardPage(site: OpsSite, snapshot: OpsSnapshot): Response {
  const sections = renderSections(snapshot);
  const section = (id: string) => raw(sections[id] ?? "");
  return opsPage({
    site,
    title: "Dashboard",
    place: "/",
    live: true,
    content: (
      <>
        <h1 class="page-title">Dashboard</h1>
        <div id="state" role="status">
          {section("state")}
        </div>
        <div id="figures">{section("figures")}</div>
        <section class="card" aria-labelledby="chart-title">
          <h2 id="chart-title">Mails per minute, last hour</h2>
          <div id="chart">{section("chart")}</div>
        </section>
        <section class="card" aria-labelledby="lag-title">
          <h2 id="lag-title">Partitions</h2>
          <div id="lag">{section("lag")}</div>
        </section>
        <section class="card" aria-labelledby="failures-title">
          <h2 id="failures-title">Recent failures</h2>
          <div id="failures">{section("failures")}</div>
        </section>
        <p class="hint">
          The lag and the partitions are those of the whole consumer group. Everything else is this
          process alone, since it started, on {snapshot.host}.
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

/** First on the page: whether mails are delivered; if not, why, and the fix. */
function State({ pausedReasons, lag }: Pick<OpsSnapshot, "pausedReasons" | "lag">) {
  if (pausedReasons.length > 0) {
    return (
      <div class="state state-bad">
        <p>Delivery is paused</p>
        <List items={pausedReasons} />
        <p class="state-next">
          Mails wait and are not lost, but codes expire. <code>instant doctor</code> checks every
          server and shows the fix.
        </p>
      </div>
    );
  }
  const late = [...lateReasons(lag), ...describeOpenTransactions(lag)];
  if (late.length === 0) return <p class="state state-good">Delivery is running</p>;
  return (
    <div class="state state-late">
      <p>Delivery is lagging</p>
      <List items={late} />
    </div>
  );
}

function List({ items }: { readonly items: readonly string[] }) {
  return (
    <ul>
      {items.map((item) => (
        <li>{item}</li>
      ))}
    </ul>
  );
}

/** People wait for mails: an event that waits longer than this is worth a warning. */
const lateSeconds = 60;

function lateReasons({ partitions, problem }: LagState): readonly string[] {
  if (problem !== undefined) return [];
  const waiting = partitions.filter(({ records }) => records > 0);
  const unread = waiting
    .filter(({ owner }) => owner === undefined)
    .map(
      ({ partition, records }) =>
        `Partition ${partition} has no consumer, and a lag of ${counted(records, "event")}`,
    );
  const seconds = Math.max(0, ...waiting.map((each) => each.seconds));
  if (seconds < lateSeconds) return unread;
  const oldest = formatDuration(seconds * 1000);
  return [
    ...unread,
    `The oldest event has been waiting for ${oldest}: check the recent failures; if there are none, add replicas`,
  ];
}

/**
 * Kafka aborts a transaction whose producer is gone after a minute, unless the producer set a
 * longer timeout.
 */
const openTransactionSecondsMax = 60;

/** A notice for each transaction that has been open for over a minute. */
export function describeOpenTransactions({ partitions }: LagState): readonly string[] {
  return partitions.flatMap(({ partition, openTransaction }) => {
    if (openTransaction === undefined) return [];
    const { offset, records, seconds } = openTransaction;
    if (seconds <= openTransactionSecondsMax) return [];
    const minutes = `${Math.floor(seconds / 60)} min`;
    return [
      `Kafka: a producer's transaction has been open for ${minutes} at offset ${offset} of partition ${partition}: up to ${counted(records, "event")} behind it cannot be read yet. instant doctor names the command that ends it`,
    ];
  });
}

function Figures({ inFlight, unfinished, lag, acceptance }: OpsSnapshot) {
  const records = lag.partitions.reduce((sum, partition) => sum + partition.records, 0);
  const { count, p50, p95, p99 } = acceptance;
  const percentiles = [p50, p95, p99].map((ms) => (ms === undefined ? "–" : formatDuration(ms)));
  return (
    <dl class="figures">
      <Figure
        name="Consumer lag"
        value={lag.problem === undefined ? String(records) : "?"}
        hint={lagHint({ lag, unfinished, records })}
      />
      <Figure
        name="In flight"
        value={String(inFlight)}
        hint={unfinished > inFlight ? `${unfinished - inFlight} more queued` : "in this process"}
      />
      <Figure
        name="Time to acceptance: p50 / p95 / p99"
        value={count === 0 ? "–" : percentiles.join(" / ")}
        hint={`${counted(count, "mail")} in the last 5 min`}
        wide
      />
    </dl>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly hint: string;
  readonly wide?: boolean;
}

function Figure({ name, value, hint, wide = false }: FigureProps) {
  return (
    <div class={wide ? "card figure-wide" : "card"}>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong>
        <span>{hint}</span>
      </dd>
    </div>
  );
}

function lagHint({
  lag,
  unfinished,
  records,
}: Pick<OpsSnapshot, "lag" | "unfinished"> & { readonly records: number }): string {
  if (lag.problem !== undefined) return `unknown; last known: ${records}`;
  if (records === 0) return unfinished === 0 ? "all events done" : "the last ones are in progress";
  const seconds = Math.max(0, ...lag.partitions.map((partition) => partition.seconds));
  return `oldest event: ${formatDuration(seconds * 1000)}`;
}

const seriesNames: Readonly<Record<OutcomeSeries, string>> = {
  accepted: "accepted",
  skipped: "skipped (duplicate, expired or suppressed)",
  retried: "retried",
  dead_letter: "dead-lettered",
};
const [height, step, barWidth] = [120, 10, 8] as const;

/** Stacked bars, one per minute, rendered by the server as SVG. */
function Chart({ minutes }: { readonly minutes: readonly MinuteCount[] }) {
  const peak = Math.max(0, ...minutes.map(totalOf));
  const sums = outcomeSeries.map((series) => {
    return [series, minutes.reduce((sum, minute) => sum + minute[series], 0)] as const;
  });
  const summary = sums.map(([series, sum]) => `${sum} ${seriesNames[series]}`).join(", ");
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${minutes.length * step} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Mails per minute in the last hour: ${summary}; peak: ${peak} per minute`}
      >
        {minutes.map((minute, index) => (
          <Bar minute={minute} left={index * step} scale={height / Math.max(1, peak)} />
        ))}
      </svg>
      <p class="axis">
        <span>1 h ago</span>
        <span>peak: {peak} per minute</span>
        <span>now</span>
      </p>
      <ul class="legend">
        {sums.map(([series, sum]) => (
          <li>
            <span class={`swatch series-${series}`} aria-hidden="true" />
            {sum} {seriesNames[series]}
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
            y={top.toFixed(1)}
            width={barWidth}
            height={size.toFixed(1)}
          />
        );
      })}
    </>
  );
}

function totalOf(minute: MinuteCount): number {
  return outcomeSeries.reduce((sum, series) => sum + minute[series], 0);
}

function Lag({ lag, ownPartitions }: OpsSnapshot) {
  return (
    <>
      {lag.problem !== undefined && <p class="trouble">Last known state. {lag.problem}</p>}
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">Lag</th>
            <th scope="col">Oldest</th>
            <th scope="col">Consumer</th>
          </tr>
        </thead>
        <tbody>
          {lag.partitions.map(({ partition, records, seconds, owner }) => (
            <tr>
              <th scope="row">{partition}</th>
              <td>{records}</td>
              <td>{records === 0 ? "–" : formatDuration(seconds * 1000)}</td>
              <td class="text">
                {owner ?? <span class={records === 0 ? "" : "badge badge-bad"}>none</span>}{" "}
                {ownPartitions.includes(partition) && <span class="badge">this process</span>}
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

/** "120 ms", "1.4 s", "12 min", "3.2 h". */
function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
