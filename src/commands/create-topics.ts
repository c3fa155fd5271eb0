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

/** The wording of the guide. */
const kafkaUnavailable: ErrorRow = {
  code: "kafka_unavailable",
  meaning: "Failed to connect to Kafka",
  retryable: true,
  status: 503,
};

/** Creates or verifies the two topics and reports it as in the guide. Throws when Kafka is down. */
export async function createTopics(
  environment: Environment,
  { grow = false, json = false }: { readonly grow?: boolean; readonly json?: boolean },
): Promise<number> {
  const config = loadConfig(environment);
  const { topics } = config;
  return withTools(config, async (tools) => {
    const eventLog = await tools.eventLog();
    const print = (line: string) => {
      if (!json) process.stdout.write(`${line}\n`);
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
    const reports = await eventLog.createTopics(topicSpecs(topics), { grow });
    for (const report of reports) for (const line of reportLines(report)) print(line);
    if (json) process.stdout.write(`${JSON.stringify({ topics: reports })}\n`);
    return 0;
  });
}

/** Throws `kafka_unavailable`, also for the embedded log. */
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
