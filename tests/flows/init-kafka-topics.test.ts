import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { findEngine } from "../../support/engines.ts";

const kafka = findEngine("kafka");
const script = resolve(import.meta.dir, "../../scripts/init-kafka-topics.sh");

/** The lines after "Creating topics...", for topics of this test's own. */
async function createTopics(name: string, partitions: number, ...parameters: string[]) {
  const child = Bun.spawn([script, ...parameters], {
    env: {
      ...process.env,
      ...(process.env["TEST_KAFKA_LIBS"] ? { KAFKA_LIBS: process.env["TEST_KAFKA_LIBS"] } : {}),
      KAFKA_BROKERS: kafka ?? "",
      KAFKA_TOPIC_EMAIL_EVENTS: name,
      KAFKA_TOPIC_EMAIL_DLQ: `${name}-dlq`,
      KAFKA_TOPIC_PARTITIONS: String(partitions),
    },
    stderr: "inherit",
  });
  const output = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return output.slice(output.indexOf("Creating topics...")).trim().split("\n").slice(1);
}

test.skipIf(kafka === undefined)(
  "Kafka's own tools create the topics, verify them, and grow them when asked",
  async () => {
    const name = `init-${crypto.randomUUID()}`;
    expect(await createTopics(name, 3)).toEqual([
      `✓ Topic '${name}' created successfully`,
      `✓ Topic '${name}-dlq' created successfully`,
    ]);
    expect(await createTopics(name, 5)).toEqual([
      `✓ Topic '${name}' already exists (3 partitions)`,
      "  ! has 3 partitions instead of 5",
      `✓ Topic '${name}-dlq' already exists (1 partition)`,
    ]);
    expect(await createTopics(name, 5, "--grow")).toEqual([
      `✓ Topic '${name}' grown to 5 partitions`,
      `✓ Topic '${name}-dlq' already exists (1 partition)`,
    ]);
  },
  60_000,
);
