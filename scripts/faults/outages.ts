import { eventually } from "../../tests/support/eventually.ts";
import { openRedisPair } from "../../tests/support/redis-pair.ts";
import type { SinkRule } from "../../tests/support/smtp-sink/behaviour.ts";
import { Load } from "./load.ts";
import { rotateReplicas } from "./replicas.ts";
import { denyEverybody, failAtEachPhase, shutDownSmtp, tearSmtp } from "./smtp-outage.ts";
import type { OutageScale, Played, Stage } from "./stage.ts";
import { progress } from "./stage.ts";
import type { Row } from "./table.ts";
import { countMails, findInWindow } from "./tally.ts";
import type { FaultRow, FaultWorld } from "./world.ts";

/** Servers and processes that go away under a load of mails, and come back. */
export interface Outage {
  readonly name: string;
  readonly play: (stage: Stage) => Promise<Played>;
  /** Its worker may send by a second server (`row.secondSink`) too. */
  readonly twoServers?: boolean;
  /** None of its mails may become a dead letter. */
  readonly serverAtFault?: boolean;
  /** A Redis of the row's own, behind an address that moves. */
  readonly failsOver?: boolean;
}

/** So that whatever comes finds mails whose answer is awaited. */
const unhurried: SinkRule = { at: "dot", does: { kind: "delay", ms: 30 } };
/** Longer than a session, and than a lease in `submitting` (three of 2 s). */
const frozenMs = 9000;

export const outages: readonly Outage[] = [
  { name: "Kafka stopped and started", play: stopKafka },
  { name: "Redis stopped and started", play: stopRedis },
  { name: "Redis frozen past the lease", play: freezeRedis },
  { name: "Redis fails over to its replica", play: failOverRedis, failsOver: true },
  { name: "SMTP server shut down and started", play: shutDownSmtp },
  { name: "SMTP server gone at once, and back", play: tearSmtp },
  {
    name: "SMTP server refuses everybody, and takes mails again",
    play: denyEverybody,
    serverAtFault: true,
  },
  {
    name: "two SMTP servers, the first failing at each phase",
    play: failAtEachPhase,
    twoServers: true,
  },
  { name: "SMTP server that answers the final dot long after the lease", play: answerSlowly },
  { name: "replicas join and leave", play: rotateReplicas },
  { name: "a worker frozen past its session, and woken", play: freezeWorker },
];

/** Plays one outage under load and counts what became of every mail. */
export async function runOutage(
  world: FaultWorld,
  { name, play, twoServers = false, failsOver = false }: Outage,
  scale: OutageScale,
): Promise<Row> {
  await using pair = failsOver ? await openRedisPair() : undefined;
  await using row = await world.openRow(pair);
  row.sink.setBehaviour([unhurried]);
  row.secondSink.setBehaviour([unhurried]);
  const worker = row.startWorker({
    EMAIL_REFUSAL_GUARD: "10",
    ...(twoServers ? twoServersOf(row) : {}),
  });
  const load = new Load(row, scale.perSecond);
  try {
    await eventually("mails flow", () => row.sink.acceptedTotal > scale.perSecond, 60_000);
    await row.sink.reaches("dot");
    const { inWindow, note } = await play({ world, row, load, worker, scale, pair });
    if (!load.stopped) await progress(row);
    await load.stop();
    await row.untilDrained(120_000);
    return {
      name,
      note,
      tally: await countMails(row, load.events, { windows: inWindow ? [inWindow] : [] }),
    };
  } finally {
    await load.stop();
  }
}

function twoServersOf({ sink, secondSink }: FaultRow): Record<string, string> {
  const urls = [sink, secondSink].map(({ port }) => `smtp://127.0.0.1:${port}?tls=none`);
  return { SMTP_HOST: "", SMTP_URLS: urls.join() };
}

async function stopKafka({ world, scale }: Stage): Promise<Played> {
  await world.kafka.stop();
  await Bun.sleep(scale.awayMs);
  await world.kafka.start();
  return {};
}

async function stopRedis({ world, scale }: Stage): Promise<Played> {
  await world.redis.stop();
  await Bun.sleep(scale.awayMs);
  await world.redis.start();
  return {};
}

/**
 * The old connections stay at the demoted one. FAILOVER holds writes back until the replica has them
 * all, so the promise is exact: a master that dies loses what it had not sent on.
 */
async function failOverRedis({ pair }: Stage): Promise<Played> {
  await pair?.failOver();
  return { note: "planned, with FAILOVER: the replica has every write before the switch" };
}

async function freezeRedis({ world }: Stage): Promise<Played> {
  world.redis.freeze();
  await Bun.sleep(frozenMs);
  world.redis.thaw();
  return {};
}

/** Nobody dies: no mail has an excuse to go out twice, or to be parked. */
async function answerSlowly({ row, load, scale }: Stage): Promise<Played> {
  row.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: scale.slowDotMs } }]);
  row.startWorker();
  await row.sink.reaches("dot");
  await Bun.sleep(scale.slowDotMs * 1.5);
  await load.stop();
  row.sink.setBehaviour([unhurried]); // those that are delayed still are; the backlog need not wait
  return { note: `answers after ${scale.slowDotMs / 1000} s` };
}

async function freezeWorker({ row, load, worker }: Stage): Promise<Played> {
  row.startWorker();
  await progress(row);
  await row.sink.reaches("dot");
  process.kill(worker.pid, "SIGSTOP");
  const inWindow = await findInWindow(row, [...load.events]);
  await Bun.sleep(frozenMs);
  process.kill(worker.pid, "SIGCONT");
  return { inWindow };
}
