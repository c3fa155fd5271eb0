import type { Log } from "../../../core/log.ts";
import type { Clock } from "../../../core/time.ts";
import type { TopicSpec } from "../event-log.ts";
import type { KafkaConnection } from "./client.ts";

/** What the topics are held against. */
export interface KafkaDiagnosisOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly events: TopicSpec;
  readonly deadLetters: TopicSpec;
  readonly group: string;
  /** The shortest that an event may stay on the log: what it is for is over after that. */
  readonly retentionMsMin: number;
  /** The longest that mails wait for a server that is down. */
  readonly outageMs: number;
  /** An event that is read later than this after it was written is of no use. */
  readonly eventMsMax: number;
  /** The largest event there may be. */
  readonly eventBytesMax: number;
  /** Whether one lost disk must lose no mail. */
  readonly production: boolean;
  readonly clock?: Clock;
}
