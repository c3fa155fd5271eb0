import type { Benchmark } from "./benchmark.ts";
import { dashboards } from "./rows/dashboards.ts";
import { drainEmbedded } from "./rows/drain-embedded.ts";
import { drainKafka } from "./rows/drain-kafka.ts";
import { drainSmtp } from "./rows/drain-smtp.ts";
import { endToEnd } from "./rows/end-to-end.ts";
import { idleCpu } from "./rows/idle-cpu.ts";
import { ledgerCalls, ledgerMemory } from "./rows/ledger-cost.ts";
import { backlogLength, memory } from "./rows/long-backlog.ts";
import { partitions } from "./rows/partitions.ts";
import { replay } from "./rows/replay.ts";
import { requestCode64, requestCode200 } from "./rows/request-code.ts";
import { sessionCheck } from "./rows/session-check.ts";
import { firstRequest, help } from "./rows/starting.ts";
import { threeProcesses } from "./rows/three-processes.ts";

/** Every row, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [
  drainKafka,
  drainSmtp,
  drainEmbedded,
  requestCode64,
  requestCode200,
  sessionCheck,
  endToEnd,
  replay,
  memory,
  backlogLength,
  partitions,
  threeProcesses,
  help,
  firstRequest,
  idleCpu,
  dashboards,
  ledgerMemory,
  ledgerCalls,
];
