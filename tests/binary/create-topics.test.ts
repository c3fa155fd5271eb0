import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

const kafka = findEngine("kafka");
const rule = "=".repeat(60);

/** The guide's banner, for these settings. */
function banner(brokers: string, topic: string, partitions: number): string {
  return [
    rule,
    "Kafka Topic Initialization",
    rule,
    `Kafka Brokers: ${brokers}`,
    `Email Events Topic: ${topic}`,
    `DLQ Topic: ${topic}-dlq`,
    `Partitions: ${partitions}`,
    "Replication Factor: 1",
    rule,
    "",
    "Connecting to Kafka...",
    "✓ Connected to Kafka",
    "",
    "Creating topics...",
    "",
  ].join("\n");
}

function settings(topic: string, more: Record<string, string> = {}) {
  return { KAFKA_TOPIC_EMAIL_EVENTS: topic, KAFKA_TOPIC_EMAIL_DLQ: `${topic}-dlq`, ...more };
}

describe.skipIf(findEngine("instant") === undefined)("create-topics", () => {
  test("on the embedded log says what the guide shows, then that all is there", async () => {
    using directory = temporaryDirectory();
    const options = { directory: directory.path };
    const head = banner("embedded (.instant/events.sqlite)", "email-events", 3);
    expect((await runInstant(["create-topics"], options)).stdout).toBe(
      `${head}✓ Topic 'email-events' created successfully\n` +
        "✓ Topic 'email-events-dlq' created successfully\n",
    );
    expect((await runInstant(["create-topics"], options)).stdout).toBe(
      `${head}✓ Topic 'email-events' already exists (3 partitions)\n` +
        "✓ Topic 'email-events-dlq' already exists (1 partition)\n",
    );
  });

  test("without Kafka says so in one line, with exit code 1", async () => {
    using directory = temporaryDirectory();
    const { exitCode, stderr } = await runInstant(["create-topics"], {
      directory: directory.path,
      environment: { KAFKA_BROKERS: "127.0.0.1:1" },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^instant: Failed to connect to Kafka: 127\.0\.0\.1:1: .+\n$/);
  });

  test.skipIf(kafka === undefined)(
    "on Kafka creates, verifies, and grows only when asked",
    async () => {
      using directory = temporaryDirectory();
      const topic = `t${crypto.randomUUID().slice(0, 8)}`;
      const run = (parameters: readonly string[], partitions: string) =>
        runInstant(["create-topics", ...parameters], {
          directory: directory.path,
          environment: settings(topic, {
            KAFKA_BROKERS: kafka ?? "",
            KAFKA_TOPIC_PARTITIONS: partitions,
          }),
        });
      const created = `✓ Topic '${topic}' created successfully\n✓ Topic '${topic}-dlq' created successfully\n`;
      expect((await run([], "3")).stdout).toBe(banner(kafka ?? "", topic, 3) + created);
      const fewer = await run([], "10");
      expect(fewer.exitCode).toBe(0);
      expect(fewer.stdout).toContain(`✓ Topic '${topic}' already exists (3 partitions)\n  ! `);
      expect((await run(["--grow"], "10")).stdout).toContain(
        `✓ Topic '${topic}' grown to 10 partitions`,
      );
      const report = JSON.parse((await run(["--json"], "10")).stdout);
      expect(report.topics[0]).toMatchObject({ topic, outcome: "exists", partitions: 10 });
    },
  );
});
