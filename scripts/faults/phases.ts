import type { SinkRule } from "../../support/smtp-sink/behaviour.ts";
import type { HoldRule } from "./hold.ts";
import type { KafkaApi } from "./kafka-wire.ts";
import type { RedisCommand } from "./redis-wire.ts";

/** A moment of serve-email's work, and how it is recognised, and stopped, from outside. */
export interface Phase {
  readonly name: string;
  readonly trigger:
    | { readonly at: "redis"; readonly rule: HoldRule<RedisCommand> }
    /** What only workers say: a commit, joining again as a member, a dead letter. */
    | { readonly at: "kafka"; readonly hold: "request" | "reply"; readonly api: KafkaApi }
    /** The server's turn: the sink hangs there, and has or has not taken the mail. */
    | { readonly at: "sink"; readonly rule: SinkRule };
  /** The mails are refused, so that they are buried. */
  readonly refused?: boolean;
  /** The worker believes no refusal at once: each waits for what the server says next. */
  readonly guarded?: boolean;
  /** Nobody has written the final dot yet: the server cannot have taken the mail. */
  readonly beforeDot?: boolean;
  /** Whoever takes over is killed there too. */
  readonly again?: boolean;
  /** Another process joins the group. */
  readonly joined?: boolean;
}

/** In the order of a mail's way. */
export const phases: readonly Phase[] = [
  { name: "after receive", trigger: redis("request", "claimed") },
  { name: "after claim", trigger: redis("reply", "claimed") },
  { name: "before the content", trigger: sink("data", false) },
  { name: "before the dot", trigger: redis("request", "submitting") },
  {
    name: "in submitting, before the dot",
    trigger: redis("reply", "submitting"),
    beforeDot: true,
  },
  { name: "after the dot, not accepted", trigger: sink("dot", false) },
  { name: "after the dot, accepted", trigger: sink("dot", true) },
  { name: "after 250", trigger: redis("request", "accepted") },
  { name: "after 250, and again", trigger: redis("request", "accepted"), again: true },
  { name: "after record", trigger: redis("reply", "accepted") },
  { name: "before commit", trigger: kafka("request", "offsetCommit") },
  { name: "after commit", trigger: kafka("reply", "offsetCommit") },
  {
    name: "refused, waiting for what confirms it",
    trigger: redis("reply", "claimed", "refused, to be confirmed"),
    ...{ refused: true, guarded: true },
  },
  { name: "during bury, before", trigger: kafka("request", "produce"), refused: true },
  { name: "during bury, after", trigger: kafka("reply", "produce"), refused: true },
  { name: "during a rebalance", trigger: kafka("request", "joinGroup"), joined: true },
];

export function findPhase(name: string): Phase {
  const found = phases.find((phase) => phase.name === name);
  if (found === undefined) throw new Error(`there is no phase "${name}"`);
  return found;
}

/** The writes of this state, and of no other, to the ledger; with `note`, of those that say so. */
function redis(
  at: "request" | "reply",
  state: "claimed" | "submitting" | "accepted",
  note?: string,
) {
  const begin = `{"state":"${state}"`;
  // A claim is new, else it is a renewal.
  const isMeant = (write: { readonly condition: string; readonly text: string }) =>
    note === undefined
      ? state !== "claimed" || write.condition === "absent"
      : write.text.includes(note);
  const fits = (command: RedisCommand): boolean => {
    const writes = ledgerWrites(command);
    return (
      writes.length > 0 && writes.every((write) => write.text.startsWith(begin) && isMeant(write))
    );
  };
  return { at: "redis", rule: { at, fits } } as const;
}

/** As redis-swap.lua has them: the keys, then condition, expected, last time, new text of each. */
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
