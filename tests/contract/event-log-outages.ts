import { expect, test } from "bun:test";
import { EventLogReader } from "../support/event-log-reader.ts";
import { numbered, publishTexts } from "../support/event-log-records.ts";
import type { EventLogHarness } from "./event-log-harness.ts";
import { newName, useEventLog } from "./event-log-harness.ts";

export function testEventLogOutages(harness: EventLogHarness): void {
  const scope = useEventLog(harness);

  test("a publish that is not acknowledged in time is log_unavailable at its deadline", async () => {
    await using log = await harness.openUnavailable();
    const startedAt = performance.now();
    const publishing = log.publish(
      newName("topic"),
      [{ key: null, value: Buffer.from("x"), headers: [] }],
      { deadlineMs: 400 },
    );
    await expect(publishing).rejects.toMatchObject({ code: "log_unavailable", retryable: true });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test("a ping of a log that does not answer is log_unavailable at its deadline", async () => {
    await using log = await harness.openUnavailable();
    const startedAt = performance.now();
    const pinging = log.ping({ deadlineMs: 400 });
    await expect(pinging).rejects.toMatchObject({ code: "log_unavailable" });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test("a subscription to a log that does not answer waits, says why, and can be stopped", async () => {
    await using log = await harness.openUnavailable();
    const topic = newName("topic");
    const reader = await EventLogReader.open(log, { topic, group: newName("group") });
    expect(reader.subscription.stats).toEqual({
      inFlight: 0,
      unfinished: 0,
      deferred: 0,
      paused: false,
      partitions: [],
      problem: expect.any(String),
    });
    const state = await Promise.race([
      reader.subscription.failed.catch(() => "failed"),
      Bun.sleep(300).then(() => "waits"), // a failure would come at once
    ]);
    expect(state).toBe("waits");
    await reader.stop();
  });

  test("a group whose offset is not on the log any more fails, and skips nothing", async () => {
    const topic = await scope.newTopic();
    const group = newName("group");
    await publishTexts(scope.log, topic, numbered("text", 10), "key");
    const first = await EventLogReader.open(scope.log, {
      topic,
      group,
      blocks: (text) => text === "text 2",
    });
    await first.untilFinished(2);
    await first.stop(0);
    await harness.truncate(topic, 5);
    await using second = await EventLogReader.open(scope.log, { topic, group });
    await expect(second.subscription.failed).rejects.toMatchObject({ code: "offset_out_of_range" });
    expect(second.started).toEqual([]);
  });

  test("a new group on a topic that lost its oldest records starts at the earliest left", async () => {
    const topic = await scope.newTopic();
    await publishTexts(scope.log, topic, numbered("text", 4), "key");
    await harness.truncate(topic, 2);
    await using reader = await EventLogReader.open(scope.log, { topic, group: newName("group") });
    expect(await reader.untilFinished(2)).toEqual(["text 2", "text 3"]);
  });
}
