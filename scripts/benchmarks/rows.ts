import type { Benchmark } from "./benchmark.ts";
import { backlogLength, memory } from "./rows/backlog.ts";
import { drainEmbedded, drainKafka, drainSmtp } from "./rows/drain.ts";
import { endToEnd } from "./rows/end-to-end.ts";
import { ledgerCalls, ledgerMemory } from "./rows/ledger-cost.ts";
import { requestCode64, requestCode200, sessionCheck } from "./rows/requests.ts";
import { firstRequest, help } from "./rows/starting.ts";

/** Every row, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [
  drainKafka,
  drainSmtp,
  drainEmbedded,
  requestCode64,
  requestCode200,
  sessionCheck,
  endToEnd,
  memory,
  backlogLength,
  help,
  firstRequest,
  ledgerMemory,
  ledgerCalls,
];
