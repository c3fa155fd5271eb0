/** The moments of a mail where serve-email is killed or frozen, and how it is stopped there. */
import type { SinkRule } from "../../support/smtp-sink/behaviour.ts";
import type { HoldRule } from "./proxy.ts";
import type { KafkaApi, KafkaRequest, RedisCommand } from "./wires.ts";
import type { FaultRow } from "./world.ts";

/** A moment of serve-email's work, recognised and stopped from outside. */
export interface Phase {
  readonly name: string;
  readonly trigger:
    | { readonly at: "redis"; readonly rule: HoldRule<RedisCommand> }
    /** Only workers send these: a commit, a rejoin as a member, a dead letter. */
    | { readonly at: "kafka"; readonly hold: "request" | "reply"; readonly api: KafkaApi }
    /** It is the server's turn: the sink hangs there, with or without having accepted the mail. */
    | { readonly at: "sink"; readonly rule: SinkRule };
  /** The mails are refused, so that they are buried. */
  readonly refused?: boolean;
  /** The worker does not act on a refusal at once: it waits for the server's next replies. */
  readonly guarded?: boolean;
  /** The final dot is not written yet: the server cannot have accepted the mail. */
  readonly beforeDot?: boolean;
  /** The worker that takes over is killed there too. */
  readonly again?: boolean;
  /** Another process joins the group. */
  readonly joined?: boolean;
  /** Tested with a freeze too: what the worker does, or has sent, when it wakes comes too late. */
  readonly frozen?: boolean;
}

/** In the order a mail passes them. */
export const phases: readonly Phase[] = [
  { name: "after receive", trigger: redis("request", "claimed") },
  { name: "after claim", trigger: redis("reply", "claimed"), frozen: true },
  { name: "before the content", trigger: sink("data", false) },
  { name: "before the dot", trigger: redis("request", "submitting"), frozen: true },
  {
    name: "in submitting, before the dot",
    trigger: redis("reply", "submitting"),
    beforeDot: true,
    frozen: true,
  },
  { name: "after the dot, not accepted", trigger: sink("dot", false) },
  { name: "after the dot, accepted", trigger: sink("dot", true), frozen: true },
  { name: "after 250", trigger: redis("request", "accepted"), frozen: true },
  { name: "after 250, and again", trigger: redis("request", "accepted"), again: true },
  { name: "after record", trigger: redis("reply", "accepted") },
  { name: "before commit", trigger: kafka("request", "offsetCommit"), frozen: true },
  { name: "after commit", trigger: kafka("reply", "offsetCommit") },
  {
    name: "refused, awaiting confirmation",
    trigger: redis("reply", "claimed", "refused, to be confirmed"),
    refused: true,
    guarded: true,
  },
  { name: "during bury, before", trigger: kafka("request", "produce"), refused: true },
  { name: "during bury, after", trigger: kafka("reply", "produce"), refused: true },
  { name: "during a rebalance", trigger: kafka("request", "joinGroup"), joined: true },
];

export const frozenPhases = phases.filter(({ frozen }) => frozen === true);

/** Ledger writes of this state and no other; with `note`, only those that contain it. */
export function redis(
  at: "request" | "reply",
  state: "claimed" | "submitting" | "accepted",
  note?: string,
) {
  const head = `],"state":"${state}"`;
  // A claim is new, else it is a renewal.
  const isMeant = (write: { readonly condition: string; readonly text: string }) =>
    note === undefined
      ? state !== "claimed" || write.condition === "absent"
      : write.text.includes(note);
  const matches = (command: RedisCommand): boolean => {
    const writes = ledgerWrites(command);
    return (
      writes.length > 0 && writes.every((write) => write.text.includes(head) && isMeant(write))
    );
  };
  return { at: "redis", rule: { at, matches } } as const;
}

/** As redis-write.lua has them: the keys, then four words of each, the last of them the text. */
function ledgerWrites([, , keyCount, ...words]: RedisCommand) {
  const keys = words.slice(0, Number(keyCount));
  if (keys.length === 0 || !keys.every((key) => key.startsWith("email:sent:"))) return [];
  return keys.map((_, index) => {
    const at = keys.length + 4 * index;
    return { condition: words[at] ?? "", text: words[at + 3] ?? "" };
  });
}

function kafka(hold: "request" | "reply", api: KafkaApi) {
  return { at: "kafka", hold, api } as const;
}

function sink(at: "data" | "dot", count: boolean) {
  return { at: "sink", rule: { at, does: { kind: "hang", count } } } as const;
}

/**
 * Where the next worker will be stopped. Set: it will be held there. Over: later workers pass, the
 * held one stays held. Dropped: what that one sent never arrives. Released: it arrives, late.
 */
export interface Moment {
  /** Resolves when a worker is held there, with `mails` of them where that many can be. */
  reached(mails: number): Promise<void>;
  over(): void;
  drop(): void;
  release(): void;
}

/** How much longer than the first other mails may take; well before the worker's own timeouts. */
export const graceMs = 400;

export function setMoment(row: FaultRow, phase: Phase): Moment {
  const { trigger } = phase;
  const usual = phase.refused === true ? [refusal] : phase.joined === true ? slow : [];
  row.sink.setBehaviour(usual);
  if (trigger.at === "sink") return setAtSink(row, trigger.rule, usual);
  const hold =
    trigger.at === "redis"
      ? row.redisProxy.hold(trigger.rule)
      : row.kafkaProxy.hold({ at: trigger.hold, matches: isFromWorker(row, trigger.api) });
  return {
    reached: (mails) => hold.untilCaught(mails, graceMs),
    over: () => hold.shut(),
    drop: () => hold.drop(),
    release: () => hold.release(),
  };
}

/** Not from other rows, nor from this row's publisher, which share the proxy. */
function isFromWorker(row: FaultRow, api: KafkaApi): HoldRule<KafkaRequest>["matches"] {
  const name = api === "produce" ? `${row.eventsTopic}-dlq` : row.group;
  return (request) =>
    request.api === api && request.names(name) && (api !== "joinGroup" || request.isMember);
}

/**
 * A session that hangs does so forever, and its client waits for the final reply until its timeout:
 * so "release" drops the connection.
 */
function setAtSink({ sink }: FaultRow, rule: SinkRule, usual: readonly SinkRule[]): Moment {
  const enough = sink.reachedTotal[rule.at];
  sink.misbehave(rule);
  const over = () => sink.setBehaviour(usual);
  return {
    reached: async (mails) => {
      await sink.reaches(rule.at);
      const endsAt = Date.now() + graceMs;
      while (sink.reachedTotal[rule.at] < enough + mails && Date.now() < endsAt) {
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
/** So that there are mails in every stage. */
const slow: readonly SinkRule[] = [
  { at: "mail", does: { kind: "delay", ms: 200 } },
  { at: "dot", does: { kind: "delay", ms: 200 } },
];
