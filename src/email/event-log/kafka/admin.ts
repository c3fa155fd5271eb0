// Topics and groups, through kafkajs' admin client.
import type { Admin, ITopicConfig, MemberDescription } from "kafkajs";
import { AssignerProtocol, ConfigResourceTypes } from "kafkajs";
import { isInstantError } from "../../../core/errors.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock, withDeadline } from "../../../core/time.ts";
import type { PartitionOffsets, TopicReport, TopicSpec, TopicState } from "../event-log.ts";
import { describeDifferences, eventLogErrors } from "../event-log.ts";
import type { KafkaClient } from "./client.ts";
import { classifyKafkaError, isSettling, kafkaErrors } from "./client.ts";

const callDeadlineMs = 15_000;
const disconnectDeadlineMs = 5_000;
const settlingEveryMs = 100;
const settlingAttemptsMax = 50;

/**
 * The administrative connection, opened by its first use. It is closed after a failed call (a
 * deleted topic breaks all later calls of a kafkajs admin); if it had worked before, the call is
 * retried once on a new one. While a group or a partition has no broker, a call is retried for up
 * to 5 s.
 */
export class AdminSession {
  readonly #client: KafkaClient;
  #admin: Promise<Admin> | undefined;
  #closed = false;

  constructor(client: KafkaClient) {
    this.#client = client;
  }

  /**
   * `name` describes the call and `asked` its subject, for errors. Throws as `classifyKafkaError`
   * does, within 30 s.
   */
  async call<T>(
    name: string,
    use: (admin: Admin) => Promise<T>,
    asked?: { readonly topic: string },
  ): Promise<T> {
    const served = this.#admin !== undefined;
    try {
      return await this.#callOnce(name, use);
    } catch (error) {
      void this.#giveUp();
      if (!served || this.#closed) throw classifyKafkaError(error, asked);
    }
    try {
      return await this.#callOnce(name, use);
    } catch (error) {
      void this.#giveUp();
      throw classifyKafkaError(error, asked);
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#giveUp();
  }

  async #callOnce<T>(name: string, use: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= this.#open();
    return await withDeadline(name, callDeadlineMs, this.#admin.then(whenSettled(use)));
  }

  async #open(): Promise<Admin> {
    const admin = this.#client.admin();
    await admin.connect();
    return admin;
  }

  async #giveUp(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    if (admin === undefined) return;
    const disconnected = admin.then((opened) => opened.disconnect());
    await withDeadline("disconnecting an admin", disconnectDeadlineMs, disconnected).catch(
      () => {},
    );
  }
}

function whenSettled<T>(use: (admin: Admin) => Promise<T>): (admin: Admin) => Promise<T> {
  return async (admin) => {
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await use(admin);
      } catch (error) {
        if (!isSettling(error) || attempts >= settlingAttemptsMax) throw error;
      }
      await systemClock.sleep(settlingEveryMs);
    }
  };
}

/** Kafka's default of `max.message.bytes`. */
const recordBytesMaxDefault = 1_048_588;

/** Settings of a topic that determine whether it keeps its records. */
export interface KafkaTopicSettings {
  readonly retentionMs: number | undefined;
  readonly recordBytesMax: number | undefined;
  /** `min.insync.replicas`. */
  readonly inSyncReplicasMin: number | undefined;
  /** `cleanup.policy` has "compact". */
  readonly compacted: boolean;
}

export interface KafkaPartitionReplicas {
  readonly replicas: number;
  readonly inSync: number;
}

/** Topics, their settings and offsets. All methods throw as `AdminSession.call` does. */
export class TopicAdmin {
  readonly #session: AdminSession;

  constructor(session: AdminSession) {
    this.#session = session;
  }

  /**
   * Whether it was created; false: a topic of this name exists. Brokers may not know it yet: kafkajs'
   * own wait would fail then, and the topic would look like an older one.
   */
  create(spec: TopicSpec): Promise<boolean> {
    const { topic } = spec;
    const config: ITopicConfig = {
      topic,
      numPartitions: spec.partitions,
      replicationFactor: spec.replicationFactor,
      configEntries: [
        { name: "retention.ms", value: String(spec.retentionMs) },
        { name: "max.message.bytes", value: String(spec.recordBytesMax) },
      ],
    };
    return this.#session.call(
      `creating topic ${topic}`,
      (admin) => admin.createTopics({ topics: [config], waitForLeaders: false, timeout: 10_000 }),
      { topic },
    );
  }

  async describe(topic: string): Promise<TopicState> {
    const partitions = await this.replicas(topic);
    const { retentionMs, recordBytesMax } = await this.#readSettings(topic);
    const replicationFactor = partitions[0]?.replicas ?? 0;
    return { partitions: partitions.length, replicationFactor, retentionMs, recordBytesMax };
  }

  /** By partition; each has a leader. */
  async replicas(topic: string): Promise<readonly KafkaPartitionReplicas[]> {
    const { topics } = await this.#session.call(
      `asking for the partitions of ${topic}`,
      (admin) => admin.fetchTopicMetadata({ topics: [topic] }),
      { topic },
    );
    return (topics[0]?.partitions ?? []).map(({ replicas, isr }) => {
      return { replicas: replicas.length, inSync: isr.length };
    });
  }

  /** Undefined if this user may not read them. */
  async settings(topic: string): Promise<KafkaTopicSettings | undefined> {
    try {
      return await this.#readSettings(topic);
    } catch (error) {
      if (isInstantError(error, kafkaErrors.accessDenied)) return undefined;
      throw error;
    }
  }

  async #readSettings(topic: string): Promise<KafkaTopicSettings> {
    const names = ["retention.ms", "max.message.bytes", "min.insync.replicas", "cleanup.policy"];
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: names };
    const { resources } = await this.#session.call(
      `asking the settings of ${topic}`,
      (admin) => admin.describeConfigs({ includeSynonyms: false, resources: [resource] }),
      { topic },
    );
    const entries = resources[0]?.configEntries ?? [];
    const values = new Map(entries.map((entry) => [entry.configName, entry.configValue]));
    const numberOf = (name: string) => (values.has(name) ? Number(values.get(name)) : undefined);
    return {
      retentionMs: numberOf("retention.ms"),
      recordBytesMax: numberOf("max.message.bytes"),
      inSyncReplicasMin: numberOf("min.insync.replicas"),
      compacted: values.get("cleanup.policy")?.includes("compact") ?? false,
    };
  }

  /** `max.message.bytes`, or Kafka's default where it may not be read. Throws only `topic_missing`. */
  async recordBytesMax(topic: string): Promise<number> {
    try {
      return (await this.describe(topic)).recordBytesMax ?? recordBytesMaxDefault;
    } catch (error) {
      if (isInstantError(error, eventLogErrors.topicMissing)) throw error;
      return recordBytesMaxDefault;
    }
  }

  /** Adds partitions up to `partitions`. */
  async grow(topic: string, partitions: number): Promise<void> {
    await this.#session.call(
      `adding partitions to ${topic}`,
      (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] }),
      { topic },
    );
  }

  /** Ordered by partition. */
  async offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    const offsets = await this.#session.call(
      `asking the offsets of ${topic}`,
      (admin) => admin.fetchTopicOffsets(topic),
      { topic },
    );
    return offsets
      .map(({ partition, low, high }) => {
        return { partition, earliest: Number(low), next: Number(high) };
      })
      .sort((a, b) => a.partition - b.partition);
  }

  /** The committed offsets of `group`, by partition; partitions without a commit are left out. */
  async committed(topic: string, group: string): Promise<ReadonlyMap<number, number>> {
    const offsets = await this.#session.call(
      `asking the offsets of group ${group}`,
      (admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }),
      { topic },
    );
    const committed = new Map<number, number>();
    for (const { partition, offset } of offsets[0]?.partitions ?? []) {
      if (Number(offset) >= 0) committed.set(partition, Number(offset));
    }
    return committed;
  }

  /** Whether a broker answers. */
  async ping(): Promise<void> {
    await this.#session.call("asking for the brokers", (admin) => admin.describeCluster());
  }
}

/** Consumer groups. All methods throw as `AdminSession.call` does. */
export class GroupAdmin {
  readonly #session: AdminSession;

  constructor(session: AdminSession) {
    this.#session = session;
  }

  /** The member that reads each partition: "10.0.0.7 (instant-3f2a…)"; none during a rebalance. */
  async owners(topic: string, group: string): Promise<ReadonlyMap<number, string>> {
    const owners = new Map<number, string>();
    for (const { memberId, clientHost, memberAssignment } of await this.members(group)) {
      if (memberAssignment.length === 0) continue; // has just joined
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment);
      const name = `${clientHost.replace(/^\//, "")} (${memberId.slice(-12)})`;
      for (const partition of decoded?.assignment[topic] ?? []) owners.set(partition, name);
    }
    return owners;
  }

  async members(group: string): Promise<readonly MemberDescription[]> {
    const { groups } = await this.#session.call(`asking for the members of ${group}`, (admin) =>
      admin.describeGroups([group]),
    );
    return groups[0]?.members ?? [];
  }
}

/** A broker may answer with the state from before a change that it has just acknowledged. */
const visibleAttemptsMax = 50;
const visibleEveryMs = 100;

/** Creates a topic, or reports how the existing one differs; adds partitions when `grow` is set. */
export async function createKafkaTopic(
  admin: TopicAdmin,
  spec: TopicSpec,
  grow: boolean,
): Promise<TopicReport> {
  const { topic, partitions } = spec;
  if (await admin.create(spec)) {
    await describeVisible(admin, topic, partitions);
    return { topic, outcome: "created", partitions, differences: [] };
  }
  const state = await describeVisible(admin, topic, 1);
  if (!grow || state.partitions >= partitions) {
    const differences = describeDifferences(spec, state);
    return { topic, outcome: "exists", partitions: state.partitions, differences };
  }
  await admin.grow(topic, partitions);
  const grown = await describeVisible(admin, topic, partitions);
  const differences = describeDifferences(spec, grown);
  return { topic, outcome: "grown", partitions: grown.partitions, differences };
}

/** The topic, once a broker reports that many partitions; after 5 s, as reported then. */
async function describeVisible(
  admin: TopicAdmin,
  topic: string,
  partitionsMin: number,
  clock: Clock = systemClock,
): Promise<TopicState> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const state = await admin.describe(topic);
      if (state.partitions >= partitionsMin || attempt >= visibleAttemptsMax) return state;
    } catch (error) {
      if (!isInstantError(error, eventLogErrors.topicMissing) || attempt >= visibleAttemptsMax)
        throw error;
    }
    await clock.sleep(visibleEveryMs);
  }
}
