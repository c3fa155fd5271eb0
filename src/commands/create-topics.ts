import { loadConfig } from "../compose/config.ts";
import { withTools } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";
import type { ErrorRow } from "../core/errors.ts";
import { InstantError, isInstantError } from "../core/errors.ts";
import { topicSpecs } from "../email/event.ts";
import type { EventLog, TopicReport } from "../email/event-log/event-log.ts";
import { eventLogErrors } from "../email/event-log/event-log.ts";

const rule = "=".repeat(60);
const connectDeadlineMs = 10_000;

/** In the guide's words. */
const kafkaUnavailable: ErrorRow = {
  code: "kafka_unavailable",
  meaning: "Failed to connect to Kafka",
  retryable: true,
  status: 503,
};

export interface CreateTopicsOptions {
  readonly grow?: boolean;
  readonly json?: boolean;
}

/** Creates the two topics, or verifies them, and says so as the guide shows. Throws when away. */
export async function createTopics(
  environment: Environment,
  options: CreateTopicsOptions,
): Promise<number> {
  const config = loadConfig(environment);
  const { topics } = config;
  return withTools(config, async (tools) => {
    const eventLog = await tools.eventLog();
    const print = (line: string) => {
      if (!options.json) process.stdout.write(`${line}\n`);
    };
    print(rule);
    print("Kafka Topic Initialization");
    print(rule);
    print(`Kafka Brokers: ${eventLog.address}`);
    print(`Email Events Topic: ${topics.events}`);
    print(`DLQ Topic: ${topics.deadLetters}`);
    print(`Partitions: ${topics.partitions}`);
    print(`Replication Factor: ${topics.replicationFactor}`);
    print(`${rule}\n`);
    print("Connecting to Kafka...");
    await connect(eventLog);
    print("✓ Connected to Kafka\n");
    print("Creating topics...");
    const grow = options.grow ?? false;
    const reports = await eventLog.createTopics(topicSpecs(topics), { grow });
    for (const report of reports) for (const line of reportLines(report)) print(line);
    if (options.json) process.stdout.write(`${JSON.stringify({ topics: reports })}\n`);
    return 0;
  });
}

/** Throws `kafka_unavailable`, whatever kind of log it is. */
async function connect(eventLog: EventLog): Promise<void> {
  try {
    await eventLog.ping({ deadlineMs: connectDeadlineMs });
  } catch (error) {
    if (!isInstantError(error, eventLogErrors.logUnavailable)) throw error;
    throw new InstantError(kafkaUnavailable, {
      detail: `${eventLog.address}: ${error.detail ?? "no answer"}`,
      cause: error,
    });
  }
}

function reportLines({ topic, outcome, partitions, differences }: TopicReport): string[] {
  const size = `${partitions} partition${partitions === 1 ? "" : "s"}`;
  const line = {
    created: `✓ Topic '${topic}' created successfully`,
    exists: `✓ Topic '${topic}' already exists (${size})`,
    grown: `✓ Topic '${topic}' grown to ${size}`,
  }[outcome];
  return [line, ...differences.map((difference) => `  ! ${difference}`)];
}
