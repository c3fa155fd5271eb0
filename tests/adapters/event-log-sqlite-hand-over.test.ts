import { expect, test } from "bun:test";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { systemClock } from "../../src/core/time.ts";
import type { PartitionOffset } from "../../src/email/event-log/flow/assignment.ts";
import { SqliteGroupMember } from "../../src/email/event-log/sqlite/group-member.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { topicSpec } from "../contract/event-log-harness.ts";
import { numbered, publishTexts } from "../support/event-logs.ts";

const topic = "topic";
const group = "group";

test("a partition is handed over together with what was finished of it", async () => {
  using directory = temporaryDirectory();
  await using database = await openSqlite(join(directory.path, "events.sqlite"));
  await using log = await openSqliteEventLog(database, { log: silentLog });
  await log.createTopics([topicSpec(topic, { partitions: 2 })], { grow: false });
  await publishTexts(log, topic, numbered("text", 20), null);
  const finished: readonly PartitionOffset[] = [
    { partition: 0, offset: 3 },
    { partition: 1, offset: 4 },
  ];

  const openMember = () => {
    const starts = new Map<number, number>();
    const member = new SqliteGroupMember({
      database,
      member: { topic, group, token: crypto.randomUUID() },
      timings: { heartbeatMs: 1, sessionMs: 60_000 },
      clock: systemClock,
      log: silentLog,
      onGained: (_, holdings) => {
        for (const { partition, start } of holdings) starts.set(partition, start);
      },
      onLost: (partitions) => {
        for (const partition of partitions) starts.delete(partition);
      },
      uncommitted: () => finished.filter(({ partition }) => starts.has(partition)),
      markCommitted: () => {},
      onFailure: (error) => {
        throw error;
      },
    });
    const holds = (count: number) =>
      eventually(`it holds ${count}`, () => {
        member.onWakeup(true);
        return starts.size === count;
      });
    return { starts, holds };
  };

  const first = openMember();
  await first.holds(2);
  expect([...first.starts]).toEqual([
    [0, 0],
    [1, 0],
  ]);
  const second = openMember();
  await second.holds(0);
  await first.holds(1);
  await second.holds(1);
  expect([...second.starts]).toEqual([[1, 4]]);
});
