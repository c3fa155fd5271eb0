import type { Benchmark } from "./benchmark.ts";
import { memory } from "./rows/backlog.ts";
import { drainEmbedded, drainKafka, drainSmtp20, drainSmtp60 } from "./rows/drain.ts";
import { endToEnd } from "./rows/end-to-end.ts";
import { ledgerCalls, ledgerMemory } from "./rows/ledger-cost.ts";
import { replay100k } from "./rows/replay.ts";
import { requestCode64, requestCode200, sessionCheck } from "./rows/requests.ts";
import { firstRequest, help, idleAuth, idleEmail } from "./rows/starting.ts";

/** Every row, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [
  drainKafka,
  drainSmtp20,
  drainSmtp60,
  drainEmbedded,
  requestCode64,
  requestCode200,
  sessionCheck,
  endToEnd,
  replay100k,
  memory,
  ledgerMemory,
  ledgerCalls,
  help,
  firstRequest,
  idleAuth,
  idleEmail,
];
