import type { Benchmark } from "./benchmark.ts";
import { drainKafka } from "./rows/drain-kafka.ts";

/** Every row, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [drainKafka];
