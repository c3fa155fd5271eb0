import { afterAll, beforeAll } from "bun:test";
import type { EventLog, TopicSpec } from "../../src/email/event-log/event-log.ts";

/** What an adapter gives the contract suite. Its own state, not shared with other suites. */
export interface EventLogHarness {
  /** Opens the log under test once more, as another process would. */
  readonly open: () => Promise<EventLog>;
  /** What `openEventLog` in tests/support needs to open it in a child process. */
  readonly childAddress: string;
  /** Opens a log whose engine does not answer (locked, or nobody listens). */
  readonly openUnavailable: () => Promise<EventLog>;
  /** Removes the records of partition 0 before `offset`, as retention does. */
  readonly truncate: (topic: string, offset: number) => Promise<void>;
  readonly features: EventLogFeatures;
}

/** The only things in which adapters may differ. */
interface EventLogFeatures {
  /** The longest until the members of a group have shared the partitions anew. */
  readonly rebalanceMsMax: number;
  /** The longest until another member takes over from one that was killed. */
  readonly takeOverMsMax: number;
}

/** One log for a group of tests, with topics of their own. */
export interface ContractScope {
  readonly harness: EventLogHarness;
  readonly log: EventLog;
  newTopic(options?: Partial<TopicSpec>): Promise<string>;
}

export const recordBytesMax = 64 * 1024;

/** Opens the log before the tests of this `describe` and closes it after them. */
export function useEventLog(harness: EventLogHarness): ContractScope {
  let log: EventLog | undefined;
  beforeAll(async () => {
    log = await harness.open();
  });
  afterAll(async () => {
    await log?.close();
  });
  return {
    harness,
    get log() {
      if (log === undefined) throw new Error("the log is not open yet");
      return log;
    },
    async newTopic(options = {}) {
      const spec = topicSpec(newName("topic"), options);
      await this.log.createTopics([spec], { grow: false });
      return spec.topic;
    },
  };
}

/** One partition unless the test says more, so that the order of records is certain. */
export function topicSpec(topic: string, options: Partial<TopicSpec> = {}): TopicSpec {
  return {
    topic,
    partitions: 1,
    replicationFactor: 1,
    retentionMs: 7 * 24 * 3_600_000,
    recordBytesMax,
    ...options,
  };
}

export function newName(what: string): string {
  return `${what}-${crypto.randomUUID()}`;
}
