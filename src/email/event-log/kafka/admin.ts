import type { ITopicConfig, MemberDescription } from "kafkajs";
import { AssignerProtocol, ConfigResourceTypes } from "kafkajs";
import { isInstantError } from "../../../core/errors.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type { TopicReport, TopicSpec } from "../event-log.ts";
import { describeDifferences } from "../topic-differences.ts";
import type { AdminSession } from "./admin-session.ts";
import { kafkaErrors } from "./errors.ts";

/** Kafka's default of `max.message.bytes`. */
const recordBytesMaxDefault = 1_048_588;

interface KafkaTopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly retentionMs: number;
  /** `max.message.bytes`. */
  readonly recordBytesMax: number;
}

/** The spec of a topic as it is; a setting that may not be read is undefined. */
interface KafkaTopicState {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly retentionMs: number | undefined;
  readonly recordBytesMax: number | undefined;
}

/** Settings of a topic that decide whether it keeps what it was given. */
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

export interface KafkaPartitionOffsets {
  readonly partition: number;
  readonly earliest: number;
  readonly next: number;
}

/** Topics, their settings and offsets. Everything throws as `AdminSession.call` says. */
export class TopicAdmin {
  readonly #session: AdminSession;

  constructor(session: AdminSession) {
    this.#session = session;
  }

  /**
   * Whether it was created; false: a topic of this name is there. Brokers may not know of it yet:
   * kafkajs' own wait fails then, and the topic would seem to be an older one.
   */
  create(spec: KafkaTopicSpec): Promise<boolean> {
    const config: ITopicConfig = {
      topic: spec.topic,
      numPartitions: spec.partitions,
      replicationFactor: spec.replicationFactor,
      configEntries: [
        { name: "retention.ms", value: String(spec.retentionMs) },
        { name: "max.message.bytes", value: String(spec.recordBytesMax) },
      ],
    };
    return this.#session.call(`creating topic ${spec.topic}`, (admin) =>
      admin.createTopics({ topics: [config], waitForLeaders: false, timeout: 10_000 }),
    );
  }

  async describe(topic: string): Promise<KafkaTopicState> {
    return await this.#session.call(`describing topic ${topic}`, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics[0]?.partitions ?? [];
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          {
            type: ConfigResourceTypes.TOPIC,
            name: topic,
            configNames: ["retention.ms", "max.message.bytes"],
          },
        ],
      });
      const numberOf = (name: string) => {
        const entry = resources[0]?.configEntries.find(({ configName }) => configName === name);
        return entry === undefined ? undefined : Number(entry.configValue);
      };
      return {
        partitions: partitions.length,
        replicationFactor: partitions[0]?.replicas.length ?? 0,
        retentionMs: numberOf("retention.ms"),
        recordBytesMax: numberOf("max.message.bytes"),
      };
    });
  }

  /** By partition; each has a leader. */
  async replicas(topic: string): Promise<readonly KafkaPartitionReplicas[]> {
    const { topics } = await this.#session.call(`asking for the replicas of ${topic}`, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    );
    return (topics[0]?.partitions ?? []).map(({ replicas, isr }) => {
      return { replicas: replicas.length, inSync: isr.length };
    });
  }

  /** Undefined where they may not be read. */
  async settings(topic: string): Promise<KafkaTopicSettings | undefined> {
    const names = ["retention.ms", "max.message.bytes", "min.insync.replicas", "cleanup.policy"];
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: names };
    try {
      const { resources } = await this.#session.call(`asking the settings of ${topic}`, (admin) =>
        admin.describeConfigs({ includeSynonyms: false, resources: [resource] }),
      );
      const entries = resources[0]?.configEntries ?? [];
      const textOf = (name: string) =>
        entries.find(({ configName }) => configName === name)?.configValue;
      const numberOf = (name: string) => {
        const text = textOf(name);
        return text === undefined ? undefined : Number(text);
      };
      return {
        retentionMs: numberOf("retention.ms"),
        recordBytesMax: numberOf("max.message.bytes"),
        inSyncReplicasMin: numberOf("min.insync.replicas"),
        compacted: textOf("cleanup.policy")?.includes("compact") ?? false,
      };
    } catch (error) {
      if (isInstantError(error, kafkaErrors.accessDenied)) return undefined;
      throw error;
    }
  }

  /** `max.message.bytes`, or Kafka's default where it may not be read. Throws only for no topic. */
  async recordBytesMax(topic: string): Promise<number> {
    try {
      return (await this.describe(topic)).recordBytesMax ?? recordBytesMaxDefault;
    } catch (error) {
      if (isInstantError(error, kafkaErrors.topicMissing)) throw error;
      return recordBytesMaxDefault;
    }
  }

  /** Adds partitions up to `partitions`. */
  async grow(topic: string, partitions: number): Promise<void> {
    await this.#session.call(`adding partitions to ${topic}`, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] }),
    );
  }

  /** By partition. */
  async offsets(topic: string): Promise<readonly KafkaPartitionOffsets[]> {
    const offsets = await this.#session.call(`asking the offsets of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    );
    return offsets
      .map(({ partition, low, high }) => {
        return { partition, earliest: Number(low), next: Number(high) };
      })
      .sort((a, b) => a.partition - b.partition);
  }

  /** What `group` committed, by partition; partitions without a commit are left out. */
  async committed(topic: string, group: string): Promise<ReadonlyMap<number, number>> {
    const offsets = await this.#session.call(`asking the offsets of group ${group}`, (admin) =>
      admin.fetchOffsets({ groupId: group, topics: [topic] }),
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

/** Consumer groups as the cluster sees them. Everything throws as `AdminSession.call` says. */
export class GroupAdmin {
  readonly #session: AdminSession;

  constructor(session: AdminSession) {
    this.#session = session;
  }

  /** Who reads each partition of `topic`: "10.0.0.7 (instant-3f2a…)"; empty during a rebalance. */
  async owners(topic: string, group: string): Promise<ReadonlyMap<number, string>> {
    const owners = new Map<number, string>();
    for (const { memberId, clientHost, memberAssignment } of await this.members(group)) {
      if (memberAssignment.length === 0) continue; // it just joined
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

/** A broker may answer of a topic from the state before the change it has just acknowledged. */
const visibleAttemptsMax = 50;
const visibleEveryMs = 100;

/** Creates one topic, or says how the one that is there differs; grows it when asked. */
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

/** Waits up to 5 s until the topic is seen with so many partitions; then says what it sees. */
async function describeVisible(
  admin: TopicAdmin,
  topic: string,
  partitionsMin: number,
  clock: Clock = systemClock,
): Promise<KafkaTopicState> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      const state = await admin.describe(topic);
      if (state.partitions >= partitionsMin || attempts >= visibleAttemptsMax) return state;
    } catch (error) {
      if (!isInstantError(error, kafkaErrors.topicMissing) || attempts >= visibleAttemptsMax)
        throw error;
    }
    await clock.sleep(visibleEveryMs);
  }
}
