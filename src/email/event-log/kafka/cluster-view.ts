import type { Broker, Cluster } from "kafkajs";
import type { KafkaClient } from "./client.ts";
import { classifyKafkaError } from "./errors.ts";
import { WireReader, wireBoolean, wireText, wireTexts } from "./wire-reader.ts";

/** What a broker says of the cluster and some topics, and what this user may do with them. */
export interface ClusterView {
  readonly brokers: readonly { readonly host: string; readonly port: number }[];
  /** By name; a topic that does not exist, or may not be seen, has no partitions. */
  readonly topics: ReadonlyMap<string, TopicView>;
}

export interface TopicView {
  readonly denied: boolean;
  readonly partitions: readonly PartitionView[];
  readonly rights: KafkaRights;
}

interface PartitionView {
  readonly partition: number;
  /** Below 0: there is none. */
  readonly leader: number;
  readonly replicas: number;
  readonly inSync: number;
}

export interface GroupView {
  readonly denied: boolean;
  readonly members: number;
  readonly rights: KafkaRights;
}

/** Operations this user is granted; undefined where the broker keeps no such record. */
type KafkaRights = ReadonlySet<KafkaOperation> | undefined;
type KafkaOperation = keyof typeof operationBits;

/** Positions in the protocol's bit field (KIP-430). */
const operationBits = { Read: 3, Write: 4, Describe: 8, DescribeConfigs: 10 } as const;
const rightsUnknown = -2_147_483_648;
const topicDenied = 29;
const groupDenied = 30;

/** Metadata 8 and DescribeGroups 3 are Kafka 2.3's, and the last before the compact encoding. */
const metadata = { apiKey: 3, apiName: "Metadata", apiVersion: 8 } as const;
const describeGroups = { apiKey: 15, apiName: "DescribeGroups", apiVersion: 3 } as const;
const findCoordinator = { apiKey: 10, apiName: "FindCoordinator", apiVersion: 1 } as const;
/** Whether a broker speaks what this file asks. */
export const metadataVersion = metadata.apiVersion;

/**
 * Asks the broker that answered first what kafkajs does not: replicas in sync, and the operations
 * that this user is granted. Throws `log_unavailable`, `kafka_access_denied`.
 */
export function viewTopics(client: KafkaClient, topics: readonly string[]): Promise<ClusterView> {
  return withCluster(client, (cluster) => {
    const { seedBroker } = (cluster as unknown as Seeded).brokerPool;
    return ask(seedBroker, metadataRequest(topics));
  });
}

/** The members of a group, and what this user may do with it. Throws as `viewTopics` does. */
export function viewGroup(client: KafkaClient, group: string): Promise<GroupView> {
  const denied = { denied: true, members: 0, rights: undefined };
  return withCluster(client, async (cluster) => {
    // kafkajs says of every failure that it found no coordinator, also when it may not know it.
    const { seedBroker } = (cluster as unknown as Seeded).brokerPool;
    if ((await ask(seedBroker, coordinatorRequest(group))) === groupDenied) return denied;
    const coordinator = await cluster.findGroupCoordinator({ groupId: group });
    return await ask(coordinator, groupRequest(group));
  });
}

async function withCluster<T>(
  client: KafkaClient,
  act: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = client.cluster();
  try {
    await cluster.connect();
    return await act(cluster);
  } catch (error) {
    throw classifyKafkaError(error);
  } finally {
    await cluster.disconnect().catch(() => {}); // what is left of it is closed by the broker
  }
}

interface WireRequest<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiName: string;
    readonly apiVersion: number;
    /** What kafkajs takes for one of its encoders. */
    readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly read: (reader: WireReader) => T;
}

/** kafkajs' types leave out the broker that a cluster began with, once connected. */
interface Seeded {
  readonly brokerPool: { readonly seedBroker: Broker };
}

/** kafkajs' types leave out how a broker sends a request of any version. */
interface Sender {
  readonly connectionPool: {
    getConnection(): Promise<{
      send(protocol: object): Promise<unknown>;
    }>;
  };
}

async function ask<T>(broker: Broker, { request, read }: WireRequest<T>): Promise<T> {
  await broker.connect();
  const connection = await (broker as unknown as Sender).connectionPool.getConnection();
  const response = {
    decode: async (bytes: Buffer) => read(new WireReader(bytes)),
    parse: async (decoded: T) => decoded,
  };
  return (await connection.send({ request, response })) as T;
}

function metadataRequest(topics: readonly string[]): WireRequest<ClusterView> {
  const flags = [false, false, true]; // create topics, rights on the cluster, rights on topics
  const buffer = Buffer.concat([wireTexts(topics), ...flags.map(wireBoolean)]);
  return {
    request: { ...metadata, encode: async () => ({ buf: buffer, buffer }) },
    read: (reader) => {
      reader.int32(); // throttle time
      const brokers = reader.list(() => {
        reader.int32(); // node id
        const [host, port] = [reader.text(), reader.int32()];
        reader.text(); // rack
        return { host, port };
      });
      reader.text(); // cluster id
      reader.int32(); // controller
      return { brokers, topics: new Map(reader.list(() => readTopic(reader))) };
    },
  };
}

function readTopic(reader: WireReader): readonly [string, TopicView] {
  const error = reader.int16();
  const name = reader.text();
  reader.boolean(); // internal
  const partitions = reader.list(() => readPartition(reader));
  const rights = readRights(reader.int32());
  return [name, { denied: error === topicDenied, partitions, rights }];
}

function readPartition(reader: WireReader): PartitionView {
  reader.int16(); // error
  const [partition, leader] = [reader.int32(), reader.int32()];
  reader.int32(); // leader epoch
  const nodes = () => reader.list(() => reader.int32()).length;
  const [replicas, inSync] = [nodes(), nodes()];
  nodes(); // offline replicas
  return { partition, leader, replicas, inSync };
}

/** Answers with the error. */
function coordinatorRequest(group: string): WireRequest<number> {
  const buffer = Buffer.concat([wireText(group), wireBoolean(false)]); // key type 0: a group
  return {
    request: { ...findCoordinator, encode: async () => ({ buf: buffer, buffer }) },
    read: (reader) => {
      reader.int32(); // throttle time
      return reader.int16();
    },
  };
}

function groupRequest(group: string): WireRequest<GroupView> {
  const buffer = Buffer.concat([wireTexts([group]), wireBoolean(true)]);
  return {
    request: { ...describeGroups, encode: async () => ({ buf: buffer, buffer }) },
    read: (reader) => {
      reader.int32(); // throttle time
      const groups = reader.list(() => {
        const error = reader.int16();
        for (let skipped = 0; skipped < 4; skipped += 1) reader.text(); // id, state, protocol
        const members = reader.list(() => {
          for (let skipped = 0; skipped < 3; skipped += 1) reader.text(); // ids and host
          reader.bytes(); // metadata
          reader.bytes(); // assignment
        }).length;
        return { denied: error === groupDenied, members, rights: readRights(reader.int32()) };
      });
      return groups[0] ?? { denied: false, members: 0, rights: undefined };
    },
  };
}

function readRights(bits: number): KafkaRights {
  if (bits === rightsUnknown) return undefined;
  const names = Object.keys(operationBits) as KafkaOperation[];
  return new Set(names.filter((name) => (bits & (1 << operationBits[name])) !== 0));
}
