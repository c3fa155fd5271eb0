import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

const rows = readFileSync("docs/guide.md", "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = /^\| ([^|`]+) \| `([^`]+)` \| `([^`]+)`:(.*) \|$/.exec(line);
    return cells === null ? [] : [cells.slice(1).map((cell) => cell.trim())];
  });
const main = readFileSync("src/main.ts", "utf8");

/** The headings of the guide that tell somebody to do something. */
const entries = [
  "Step 1",
  "Step 2",
  "Step 3",
  "Step 4",
  "Testing idempotency",
  "Monitoring: view Kafka messages",
  "Monitoring: Redis keys",
  "Monitoring: service health",
  "Failed to connect to Kafka",
  "Topic does not exist",
  "Emails not being sent",
  "Duplicate emails being sent",
  "Messages going to DLQ",
  "Configuration options",
  "Rollback",
  "Scale horizontally",
  "Adjust the consumer group",
  "Increase partitions",
  "Next step: production SMTP",
  "Next step: monitoring",
  "Next step: more e-mail types",
  "Next step: e-mail templates",
  "Next step: e-mail preferences",
];

describe("docs/guide.md", () => {
  test.each(entries)("answers the guide's '%s'", (entry) => {
    expect(rows.some(([name]) => name?.startsWith(entry))).toBe(true);
  });

  test.each(rows)("%s: the command is there, and so is its test", (_, typed, path, name) => {
    const command = /\.\/instant (?:--env-file \S+ )?([a-z-]+)/.exec(typed ?? "")?.[1];
    if (command !== undefined) expect(main).toContain(`.command("${command}")`);
    if (typed?.startsWith("scripts/")) expect(existsSync(typed)).toBe(true);
    expect(readFileSync(path ?? "", "utf8")).toContain(name ?? "");
  });
});
