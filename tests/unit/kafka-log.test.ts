import { expect, test } from "bun:test";
import { createLog } from "../../src/core/log.ts";
import { createKafkaLog } from "../../src/email/event-log/kafka/client.ts";

function openLog() {
  const lines: { level: string; reason: string }[] = [];
  let now = 0;
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createLog({ service: "test", level: "debug", write });
  const say = createKafkaLog(log, () => now)(1);
  const report = (namespace: string, message: string, error?: string) =>
    say({ namespace, level: 1, label: "ERROR", log: { timestamp: "", message, error } });
  const advance = (durationMs: number) => {
    now += durationMs;
  };
  return { lines, report, advance };
}

test("what kafkajs calls an error in a rebalance or an answer is not even a warning", () => {
  const { lines, report } = openLog();
  report("Connection", "Response Heartbeat(key: 12, version: 3)", "The group is rebalancing");
  report("Runner", "The coordinator is not aware of this member, re-joining the group");
  report("Consumer", "Crash: KafkaJSNonRetriableError: anything");
  expect(lines.map(({ level }) => level)).toEqual(["debug", "debug", "debug"]);
});

test("a connection that breaks is a warning, the same one at most every 10 s", () => {
  const { lines, report, advance } = openLog();
  for (let second = 0; second < 21; second += 1) {
    report("Connection", "Connection error: connect ECONNREFUSED");
    advance(1_000);
  }
  report("Connection", "Connection timeout");
  expect(lines.map(({ level }) => level)).toEqual(["warn", "warn", "warn", "warn"]);
  expect(lines.at(-1)?.reason).toBe("Connection timeout");
});
