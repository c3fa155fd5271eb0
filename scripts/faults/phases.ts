import type { SinkRule } from "../../tests/support/smtp-sink/behaviour.ts";
import type { Gate } from "./gated-proxy.ts";
import { isKafkaRequest, kafkaApi, writesState } from "./matchers.ts";

/** A moment at which serve-email is killed, and how it is recognised from outside. */
export interface Phase {
  readonly name: string;
  readonly trigger:
    | { readonly at: "redis" | "kafka"; readonly gate: Gate }
    /** The server's turn: the sink hangs there, and has or has not taken the mail. */
    | { readonly at: "sink"; readonly rule: SinkRule }
    /** Another process joins the group. */
    | { readonly at: "rebalance" };
  /** The mails are refused, so that they are buried. */
  readonly refused?: boolean;
}

const redis = (hold: Gate["hold"], state: Parameters<typeof writesState>[0]) =>
  ({ at: "redis", gate: { hold, matches: writesState(state) } }) as const;
const kafka = (hold: Gate["hold"], api: number) =>
  ({ at: "kafka", gate: { hold, matches: isKafkaRequest(api) } }) as const;
const sink = (at: "data" | "dot", count: boolean) =>
  ({ at: "sink", rule: { at, does: { kind: "hang", count } } }) as const;

/** In the order of a mail's way. */
export const phases: readonly Phase[] = [
  { name: "after receive", trigger: redis("request", "claimed") },
  { name: "after claim", trigger: redis("response", "claimed") },
  { name: "before the content", trigger: sink("data", false) },
  { name: "in submitting, before the dot", trigger: redis("response", "submitting") },
  { name: "after the dot, not accepted", trigger: sink("dot", false) },
  { name: "after the dot, accepted", trigger: sink("dot", true) },
  { name: "after 250", trigger: redis("request", "accepted") },
  { name: "after record", trigger: redis("response", "accepted") },
  { name: "before commit", trigger: kafka("request", kafkaApi.offsetCommit) },
  { name: "after commit", trigger: kafka("response", kafkaApi.offsetCommit) },
  { name: "during bury, before", trigger: kafka("request", kafkaApi.produce), refused: true },
  { name: "during bury, after", trigger: kafka("response", kafkaApi.produce), refused: true },
  { name: "during a rebalance", trigger: { at: "rebalance" } },
];
