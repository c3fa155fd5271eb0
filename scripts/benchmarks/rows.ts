import type { Benchmark } from "./benchmark.ts";
import { drainKafka } from "./rows/drain-kafka.ts";
import { drainSmtp } from "./rows/drain-smtp.ts";

/** Every row, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [drainKafka, drainSmtp];
