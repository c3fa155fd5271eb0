/** Servers and processes that go away under a load of mails, and come back. */
import { eventually } from "../../support/eventually.ts";
import { openRedisPair } from "../../support/own-redis.ts";
import type { SinkRule } from "../../support/smtp-sink/behaviour.ts";
import {
  denyEverybody,
  failAtEachPhase,
  shutDownSmtp,
  tearSmtp,
  throttle,
} from "./smtp-outages.ts";
import type { OutageScale, Played, Stage } from "./stage.ts";
import { Load, progress } from "./stage.ts";
import type { Row } from "./tally.ts";
import { countMails, findAmbiguous, findInWindow, findTouched } from "./tally.ts";
import { retainTransactions } from "./transactions.ts";
import type { FaultRow, FaultWorld } from "./world.ts";

export interface Outage {
  readonly name: string;
  readonly play: (stage: Stage) => Promise<Played>;
  /** Its worker gets a second server too: `row.secondSink`. */
  readonly twoServers?: boolean;
  /** None of its mails may become a dead letter, or count an attempt. */
  readonly serverAtFault?: boolean;
  /** It stops a server that other rows use too. */
  readonly alone?: boolean;
  /** It gets a Redis of its own that fails over to a replica. */
  readonly failsOver?: boolean;
}

/** So that every fault finds mails that wait for the final reply. */
const slowDot: SinkRule = { at: "dot", does: { kind: "delay", ms: 30 } };
/** Longer than a session, and than a lease in `submitting` (three of 2 s). */
const frozenMs = 9000;

export const outages: readonly Outage[] = [
  { name: "Kafka stopped and started", play: stopKafka, alone: true },
  { name: "Redis stopped and started", play: stopRedis, alone: true },
  { name: "Redis frozen past the lease", play: freezeRedis, alone: true },
  { name: "Redis fails over to its replica and back", play: failOverRedis, failsOver: true },
  { name: "mails in transactions, and retention", play: retainTransactions },
  { name: "SMTP server shut down and started", play: shutDownSmtp },
  { name: "SMTP server crashes and restarts", play: tearSmtp },
  {
    name: "SMTP server refuses everybody, then accepts again",
    play: denyEverybody,
    serverAtFault: true,
  },
  { name: "SMTP server that throttles", play: throttle, serverAtFault: true },
  {
    name: "two SMTP servers, the first failing at each phase",
    play: failAtEachPhase,
    twoServers: true,
  },
  { name: "SMTP server that answers the final dot long after the lease", play: answerSlowly },
  { name: "replicas join and leave", play: rotateReplicas },
  { name: "a worker frozen past its session, and woken", play: freezeWorker },
];

/** Plays one outage under load, and counts the outcome of every mail. */
export async function runOutage(
  world: FaultWorld,
  { name, play, twoServers = false, failsOver = false, serverAtFault = false }: Outage,
  scale: OutageScale,
): Promise<Row> {
  await using pair = failsOver ? await openRedisPair() : undefined;
  await using row = await world.openRow({
    redis: pair,
    ...(twoServers ? { sink: { auth: login } } : {}),
  });
  row.sink.setBehaviour([slowDot]);
  row.secondSink.setBehaviour([slowDot]);
  const worker = row.startWorker({
    EMAIL_REFUSAL_GUARD: "10",
    ...(twoServers ? twoServersOf(row) : {}),
  });
  const load = new Load(row, scale.perSecond);
  try {
    await eventually("mails flow", () => row.sink.acceptedTotal > scale.perSecond, 60_000);
    await row.sink.reaches("dot");
    const played = await play({ world, row, load, worker, scale, pair });
    if (!load.isStopped) await progress(row);
    await load.stop();
    await row.untilDrained(120_000);
    const events = [...load.events, ...(played.events ?? [])];
    const tally = await countMails(row, events, { windows: played.windows ?? [] });
    const breaches = [...tally.breaches, ...(played.breaches ?? [])];
    if (serverAtFault) breaches.push(...(await findTouched(row, events)));
    return { name, note: played.note, tally: { ...tally, breaches } };
  } finally {
    await load.stop();
  }
}

const login = { user: "instant", password: "secret" };

function twoServersOf({ sink, secondSink }: FaultRow): Record<string, string> {
  const first = `smtp://${login.user}:${login.password}@127.0.0.1:${sink.port}?tls=none`;
  const second = `smtp://127.0.0.1:${secondSink.port}?tls=none`;
  return { SMTP_HOST: "", SMTP_URLS: `${first},${second}` };
}

async function stopKafka({ world, scale }: Stage): Promise<Played> {
  await world.kafka.stop();
  await Bun.sleep(scale.downMs);
  await world.kafka.start();
  return {};
}

async function stopRedis({ world, scale }: Stage): Promise<Played> {
  await world.redis.stop();
  await Bun.sleep(scale.downMs);
  await world.redis.start();
  return {};
}

/**
 * Old connections stay at the demoted one. FAILOVER blocks writes until the replica has them all,
 * so the promise is exact: a master that dies loses what it had not replicated.
 */
async function failOverRedis({ row, pair, scale }: Stage): Promise<Played> {
  for (let time = 0; time < 2; time += 1) {
    await pair?.failOver();
    await progress(row);
    await Bun.sleep(scale.downMs);
  }
  return { note: "planned, with FAILOVER: the replica has every write before the switch" };
}

async function freezeRedis({ world }: Stage): Promise<Played> {
  world.redis.freeze();
  await Bun.sleep(frozenMs);
  world.redis.thaw();
  return {};
}

/** Nothing dies: no mail may go out twice, or become a dead letter. */
async function answerSlowly({ row, load, scale }: Stage): Promise<Played> {
  row.sink.setBehaviour([{ at: "dot", does: { kind: "delay", ms: scale.slowDotMs } }]);
  row.startWorker();
  await row.sink.reaches("dot");
  await Bun.sleep(scale.slowDotMs * 1.5);
  await load.stop();
  row.sink.setBehaviour([slowDot]); // delayed replies stay delayed; the backlog need not be
  await row.untilDrained(120_000);
  const ambiguous = await findAmbiguous(row, load.events);
  return {
    breaches: [...ambiguous].map((messageId) => `${messageId}: taken over from a living owner`),
    note: `answers after ${scale.slowDotMs / 1000} s`,
  };
}

async function freezeWorker({ row, load, worker }: Stage): Promise<Played> {
  row.startWorker();
  await progress(row);
  await row.sink.reaches("dot");
  process.kill(worker.pid, "SIGSTOP");
  const inWindow = await findInWindow(row, [...load.events]);
  await Bun.sleep(frozenMs);
  process.kill(worker.pid, "SIGCONT");
  return { windows: [inWindow] };
}

/** A replica joins, one leaves, again and again; after each change mails must flow. */
async function rotateReplicas({ row, worker, scale }: Stage): Promise<Played> {
  const running = [worker];
  for (let rotation = 0; rotation < scale.rotations; rotation += 1) {
    running.push(row.startWorker());
    await Bun.sleep(scale.rotationMs / 2);
    await progress(row);
    if (running.length > 2) await running.shift()?.stop();
    await Bun.sleep(scale.rotationMs / 2);
    await progress(row);
  }
  return {};
}
