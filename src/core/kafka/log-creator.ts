import type { LogEntry, logCreator } from "kafkajs";
import type { Log } from "../log.ts";

/** The same sentence is not said again within this time. */
const repeatAfterMs = 10_000;
const sentencesMax = 100;

/**
 * Sends kafkajs' lines into our log. It reports as errors what belongs to every rebalance, restart
 * and first join, and what it also throws; whoever called it decides what failed and says so. So
 * only a connection that broke is a warning, at most once in 10 s per sentence (while a broker is
 * away every connection complains at every try); the rest is for debugging.
 */
export function createKafkaLog(log: Log, now: () => number = Date.now): logCreator {
  const saidAt = new Map<string, number>();
  const isRepeated = (sentence: string) => {
    const at = now();
    if (at - (saidAt.get(sentence) ?? Number.NEGATIVE_INFINITY) < repeatAfterMs) return true;
    if (saidAt.size >= sentencesMax) saidAt.clear();
    saidAt.set(sentence, at);
    return false;
  };
  return () => (entry: LogEntry) => {
    const { message, error, broker } = entry.log;
    const reason = typeof error === "string" ? `${message}: ${error}` : message;
    const isAnswer = message.startsWith("Response ");
    if (entry.namespace !== "Connection" || isAnswer) {
      log.debug({ reason, broker, part: entry.namespace }, "Kafka client");
    } else if (!isRepeated(`${broker} ${reason}`)) {
      log.warn({ reason, broker }, "Kafka connection");
    }
  };
}
