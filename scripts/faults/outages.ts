import { eventually } from "../../tests/support/eventually.ts";
import type { InstantProcess } from "../../tests/support/instant-process.ts";
import type { ServiceRig } from "../../tests/support/service-rig.ts";
import type { SinkRule } from "../../tests/support/smtp-sink/behaviour.ts";
import { Load } from "./load.ts";
import type { Tally } from "./tally.ts";
import { countMails, findSubmitting } from "./tally.ts";
import type { FaultWorld } from "./world.ts";
import { startWorker } from "./world.ts";

export interface OutageScale {
  readonly perSecond: number;
  /** How long a server is away. */
  readonly awayMs: number;
  readonly smtpAwayMs: number;
  /** How many times a replica joins and one leaves, and how far apart. */
  readonly rotations: number;
  readonly rotationMs: number;
}

export const quickScale: OutageScale = {
  perSecond: 100,
  awayMs: 3000,
  smtpAwayMs: 8000,
  rotations: 3,
  rotationMs: 3000,
};
export const longScale: OutageScale = {
  perSecond: 200,
  awayMs: 10_000,
  smtpAwayMs: 60_000,
  rotations: 12,
  rotationMs: 10_000,
};

/** Servers and processes that go away under a load of mails, and come back. */
export interface Outage {
  readonly name: string;
  /** Resolves with the mails whose answer was awaited when it came; none: no double is explained. */
  /** Nothing may become a dead letter. */
  readonly parksNone?: boolean;
  readonly act: (stage: Stage) => Promise<ReadonlySet<string>>;
}

export interface Stage {
  readonly world: FaultWorld;
  readonly rig: ServiceRig;
  readonly load: Load;
  readonly worker: InstantProcess;
  readonly scale: OutageScale;
}

const none: ReadonlySet<string> = new Set();
/** After the first probe that succeeds, the backlog of an outage is gone within this. */
const drainedWithinMs = 10_000;
/** Longer than a session and a lease together. */
const frozenMs = 7000;

export const outages: readonly Outage[] = [
  {
    name: "Kafka stopped and started",
    act: async ({ world, scale }) => {
      await world.kafka.stop();
      world.kafkaProxy.cut();
      await Bun.sleep(scale.awayMs);
      await world.kafka.start();
      return none;
    },
  },
  {
    name: "Redis stopped and started",
    act: async ({ world, scale }) => {
      await world.redis.stop();
      await Bun.sleep(scale.awayMs);
      await world.redis.start();
      return none;
    },
  },
  {
    name: "Redis frozen past the lease",
    act: async ({ world }) => {
      world.redis.freeze();
      await Bun.sleep(frozenMs);
      world.redis.thaw();
      return none;
    },
  },
  {
    name: "SMTP server shut down and started",
    parksNone: true,
    act: async (stage) => {
      stage.rig.sink.setBehaviour(shuttingDown);
      return afterSmtpOutage(stage, none);
    },
  },
  {
    name: "SMTP server gone at once, and back",
    act: async (stage) => {
      await stage.rig.sink.refuse(); // what was past its dot is in nobody's hands
      return afterSmtpOutage(stage, await findSubmitting(stage.rig, [...stage.load.events]));
    },
  },
  { name: "replicas join and leave", act: rotateReplicas },
  {
    name: "a worker frozen past its session, and woken",
    act: async ({ rig, load, worker }) => {
      startWorker(rig);
      await progress(rig);
      process.kill(worker.pid, "SIGSTOP");
      const submitting = await findSubmitting(rig, [...load.events]);
      await Bun.sleep(frozenMs);
      process.kill(worker.pid, "SIGCONT");
      return submitting;
    },
  },
];

/** Runs one outage under load and counts what became of every mail. */
export async function runOutage(
  world: FaultWorld,
  outage: Outage,
  scale: OutageScale,
): Promise<Tally> {
  await using rig = await world.openRow();
  const worker = startWorker(rig);
  const load = new Load(rig, scale.perSecond);
  try {
    await eventually("mails flow", () => rig.sink.acceptedTotal > scale.perSecond, 60_000);
    const mayRepeat = await outage.act({ world, rig, load, worker, scale });
    if (!load.stopped) await progress(rig);
    await load.stop();
    await rig.untilDrained(120_000);
    return await countMails(rig, load.events, mayRepeat);
  } finally {
    await load.stop();
  }
}

/** Mails are accepted again. */
async function progress(rig: ServiceRig): Promise<void> {
  const before = rig.sink.acceptedTotal;
  await eventually("mails are accepted", () => rig.sink.acceptedTotal > before, 60_000);
}

/** RFC 5321, 3.8: a server that closes says 421, to new connections and to the next command. */
const shuttingDown: readonly SinkRule[] = (["connect", "mail"] as const).map((at) => ({
  at,
  does: { kind: "reply", text: "421 4.3.2 shutting down", close: true },
}));

async function afterSmtpOutage(
  { rig, worker, load, scale }: Stage,
  mayRepeat: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  await eventually("delivery is paused", () => worker.findLogs("Delivery paused").length > 0);
  await Bun.sleep(scale.smtpAwayMs);
  await load.stop();
  const resumed = worker.findLogs("Delivery resumed").length;
  rig.sink.setBehaviour([]);
  await rig.sink.listen();
  const isBack = () => worker.findLogs("Delivery resumed").length > resumed;
  await eventually("a probe succeeds", isBack);
  await rig.untilDrained(drainedWithinMs);
  return mayRepeat;
}

async function rotateReplicas({ rig, worker, scale }: Stage): Promise<ReadonlySet<string>> {
  const running = [worker];
  for (let rotation = 0; rotation < scale.rotations; rotation += 1) {
    running.push(startWorker(rig));
    await Bun.sleep(scale.rotationMs / 2);
    await progress(rig);
    if (running.length > 2) await running.shift()?.stop();
    await Bun.sleep(scale.rotationMs / 2);
    await progress(rig);
  }
  return none;
}
