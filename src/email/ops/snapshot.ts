import { hostname } from "node:os";
import type { EmailWorker } from "../worker.ts";
import type { AcceptanceSummary } from "./acceptance-times.ts";
import type { LagState, LagWatch } from "./lag-watch.ts";
import type { Failure, MinuteCount, OutcomeHistory } from "./outcome-history.ts";
import type { ReplayJob, ReplayState } from "./replay-job.ts";

/** All that the live pages show, at one time. */
export interface OpsSnapshot {
  readonly host: string;
  /** Why no mail starts now; empty when mails flow. */
  readonly reasons: readonly string[];
  readonly inFlight: number;
  readonly unfinished: number;
  /** Partitions that this process reads. */
  readonly mine: readonly number[];
  readonly lag: LagState;
  readonly minutes: readonly MinuteCount[];
  readonly acceptance: AcceptanceSummary;
  readonly failures: readonly Failure[];
  readonly replay: ReplayState;
}

export interface SnapshotSources {
  readonly worker: Pick<EmailWorker, "reasonsHeld" | "subscription">;
  readonly history: OutcomeHistory;
  readonly lag: LagWatch;
  readonly replay: Pick<ReplayJob, "state">;
}

export async function takeSnapshot(sources: SnapshotSources): Promise<OpsSnapshot> {
  const { worker, history, replay } = sources;
  const stats = worker.subscription?.stats;
  return {
    host: hostname(),
    reasons: worker.reasonsHeld,
    inFlight: stats?.inFlight ?? 0,
    unfinished: stats?.unfinished ?? 0,
    mine: stats?.partitions ?? [],
    lag: await sources.lag.state(),
    minutes: history.minutes(),
    acceptance: history.acceptance(),
    failures: history.failures(),
    replay: replay.state,
  };
}
