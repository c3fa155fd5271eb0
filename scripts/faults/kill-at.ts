import type { EmailEvent } from "../../src/email/event.ts";
import { codeEvent, welcomeEvent } from "../../tests/support/events.ts";
import type { ServiceRig } from "../../tests/support/service-rig.ts";
import type { Phase } from "./phases.ts";
import type { Tally } from "./tally.ts";
import { addTallies, countMails, findSubmitting } from "./tally.ts";
import type { FaultWorld } from "./world.ts";
import { startWorker } from "./world.ts";

const mailsPerKill = 6;

/** Kills serve-email `kills` times at one moment of its work, starts it again each time, and counts. */
export async function killAt(world: FaultWorld, phase: Phase, kills: number): Promise<Tally> {
  await using rig = await world.openRow();
  const tallies: Tally[] = [];
  for (let kill = 0; kill < kills; kill += 1) tallies.push(await killOnce(world, rig, phase));
  return addTallies(tallies);
}

async function killOnce(world: FaultWorld, rig: ServiceRig, phase: Phase): Promise<Tally> {
  rig.sink.setBehaviour(phase.refused === true ? [refusal] : []);
  const events = makeMails();
  await rig.publish(events);
  const reached = armTrigger(world, rig, phase);
  const worker = startWorker(rig);
  if (phase.trigger.at === "rebalance") startWorker(rig);
  await reached;
  await worker.stop("SIGKILL");
  const submitting = await findSubmitting(rig, events);
  world.redisProxy.cut();
  world.kafkaProxy.cut();
  rig.sink.setBehaviour(phase.refused === true ? [refusal] : []);
  const next = startWorker(rig);
  await rig.untilDrained();
  const tally = await countMails(rig, events, submitting);
  await next.stop();
  return tally;
}

const refusal = { at: "rcpt", does: { kind: "reply", text: "550 5.1.1 unknown" } } as const;

/** Half codes that live for an hour, half mails that never expire. */
function makeMails(): EmailEvent[] {
  return Array.from({ length: mailsPerKill }, (_, index) => {
    if (index % 2 === 0) return welcomeEvent();
    const code = codeEvent();
    return { ...code, expiresAt: code.timestamp + 3_600_000 };
  });
}

/** Resolves when serve-email is at the phase's moment and cannot leave it. */
async function armTrigger(world: FaultWorld, rig: ServiceRig, { trigger }: Phase): Promise<void> {
  switch (trigger.at) {
    case "redis":
      return world.redisProxy.arm(trigger.gate);
    case "kafka":
      return world.kafkaProxy.arm(trigger.gate);
    case "sink":
      rig.sink.misbehave(trigger.rule);
      return rig.sink.reaches(trigger.rule.at);
    case "rebalance":
      // Mails are on the wire while the second member joins.
      rig.sink.misbehave({ at: "dot", does: { kind: "delay", ms: 300 } });
      return rig.sink.reaches("dot");
  }
}
