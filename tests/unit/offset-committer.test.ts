import { expect, test } from "bun:test";
import { OffsetCommitter } from "../../src/email/event-log/kafka/subscription.ts";
import { eventually } from "../../support/eventually.ts";

/** A group that may refuse commits, and a low mark that only a commit settles. */
function openGroup() {
  const commits: number[] = [];
  const group = { low: 0, committed: 0, takes: true };
  const committer = new OffsetCommitter({
    uncommitted: () => (group.low > group.committed ? [{ partition: 0, offset: group.low }] : []),
    commit: async ([first]) => {
      commits.push(first?.offset ?? -1);
      return group.takes;
    },
    markCommitted: ([first]) => {
      group.committed = first?.offset ?? -1;
    },
  });
  return { group, commits, committer };
}

test("what becomes committable in a short time is one commit", async () => {
  const { group, commits, committer } = openGroup();
  for (let low = 1; low <= 50; low += 1) {
    group.low = low;
    committer.schedule();
  }
  await eventually("it is committed", () => commits.length > 0);
  expect(commits).toEqual([50]);
  await committer.close();
  expect(commits).toEqual([50]);
});

test("a commit that failed is tried again", async () => {
  const { group, commits, committer } = openGroup();
  group.low = 5;
  group.takes = false;
  expect(await committer.commitNow()).toBe(false);
  group.takes = true;
  await eventually("it is committed", () => group.committed === 5);
  expect(commits).toEqual([5, 5]);
  await committer.close();
});

test("closing commits the rest, and gives up after three refusals", async () => {
  const { group, commits, committer } = openGroup();
  group.low = 7;
  group.takes = false;
  await committer.close();
  expect(commits).toEqual([7, 7, 7]);
});
