import type { SinkRule } from "../../support/smtp-sink/behaviour.ts";
import type { HoldRule } from "./hold.ts";
import type { KafkaApi, KafkaRequest } from "./kafka-wire.ts";
import type { Phase } from "./phases.ts";
import type { FaultRow } from "./world.ts";

/**
 * Where the next worker will be stopped. Set: it runs into it. Over: whoever comes now passes, who
 * is held stays. Dropped: what the held one said there never arrives. Released: it arrives, late.
 */
export interface Moment {
  /** Resolves when a worker is there and cannot leave, with `mails` where there is room for them. */
  reached(mails: number): Promise<void>;
  over(): void;
  drop(): void;
  release(): void;
}

/** How long more mails may take than the first; well before the worker's own timeouts. */
const companyMs = 400;

export function setMoment(row: FaultRow, phase: Phase): Moment {
  const { trigger } = phase;
  const usual = phase.refused === true ? [refusal] : phase.joined === true ? slow : [];
  row.sink.setBehaviour(usual);
  if (trigger.at === "sink") return setAtSink(row, trigger.rule, usual);
  const hold =
    trigger.at === "redis"
      ? row.redisProxy.hold(trigger.rule)
      : row.kafkaProxy.hold({ at: trigger.hold, fits: isWorkers(row, trigger.api) });
  return {
    reached: (mails) => hold.untilCaught(mails, companyMs),
    over: () => hold.shut(),
    drop: () => hold.drop(),
    release: () => hold.release(),
  };
}

/** Told from what other rows and the publisher of this row say through the same proxy. */
function isWorkers(row: FaultRow, api: KafkaApi): HoldRule<KafkaRequest>["fits"] {
  const name = api === "produce" ? `${row.eventsTopic}-dlq` : row.group;
  return (request) =>
    request.api === api && request.names(name) && (api !== "joinGroup" || request.isMember);
}

/**
 * A session that hangs does so for ever, and its client waits as long as it may for the final answer:
 * to go on is to lose the connection.
 */
function setAtSink({ sink }: FaultRow, rule: SinkRule, usual: readonly SinkRule[]): Moment {
  const enough = sink.reachedTotal[rule.at];
  sink.misbehave(rule);
  const over = () => sink.setBehaviour(usual);
  return {
    reached: async (mails) => {
      await sink.reaches(rule.at);
      const goneOnAt = Date.now() + companyMs;
      while (sink.reachedTotal[rule.at] < enough + mails && Date.now() < goneOnAt) {
        await Bun.sleep(5);
      }
    },
    over,
    drop: over,
    release: () => {
      over();
      sink.dropConnections();
    },
  };
}

const refusal: SinkRule = { at: "rcpt", does: { kind: "reply", text: "550 5.1.1 unknown" } };
/** So that mails are found in every stage. */
const slow: readonly SinkRule[] = [
  { at: "mail", does: { kind: "delay", ms: 200 } },
  { at: "dot", does: { kind: "delay", ms: 200 } },
];
