import { kafkaBroker, redisShard, smtpProvider } from "./limits.ts";

/** What one mail costs, as scripts/bench measured it. */
export interface MailCost {
  /** CPU time of serve-email, over SMTP. */
  readonly cpuMicros: number;
  /** In Redis, for 24 hours. */
  readonly redisBytes: number;
  readonly redisCalls: number;
  /** On the event log, with its key. */
  readonly eventBytes: number;
}

/** What is assumed where nothing can be measured here. The page says each. */
export const assumed = {
  /** The busiest second has ten times as many mails as the average one. */
  peakFactor: 10,
  /** Of an SMTP connection for one mail: its round trips and the server's own time. */
  secondsPerMail: 0.2,
  /** No process and no shard is planned to be busier than this. */
  busyMax: 0.5,
  replicasMin: 2,
  partitionsPerReplica: 3,
  kafkaReplicas: 3,
  kafkaDays: 7,
  /** SMTP_CONNECTIONS: by default, and at most. */
  connectionsDefault: 20,
  connectionsMax: 200,
} as const;

/** Something that there is only so much of, as a share of one of its kind. */
export interface Share {
  readonly of: string;
  readonly share: number;
  /** What to do when it is spent. */
  readonly mend: string;
}

export interface Demand {
  readonly mailsPerDay: number;
  readonly averagePerSecond: number;
  readonly peakPerSecond: number;
  readonly cores: number;
  readonly connections: number;
  readonly replicas: number;
  readonly connectionsPerReplica: number;
  readonly partitions: number;
  readonly kafkaBytes: number;
  readonly kafkaBytesPerSecond: number;
  readonly redisBytes: number;
  readonly redisCallsPerSecond: number;
  readonly redisShards: number;
  /** The one that is spent first comes first. */
  readonly shares: readonly Share[];
}

export function computeDemand(mailsPerDay: number, cost: MailCost): Demand {
  const averagePerSecond = mailsPerDay / 86_400;
  const peakPerSecond = averagePerSecond * assumed.peakFactor;
  const cores = (peakPerSecond * cost.cpuMicros) / 1e6;
  const connections = Math.ceil(peakPerSecond * assumed.secondsPerMail);
  const replicas = Math.max(
    assumed.replicasMin,
    Math.ceil(cores / assumed.busyMax),
    Math.ceil(connections / assumed.connectionsMax),
  );
  const redisBytes = mailsPerDay * cost.redisBytes;
  const redisCallsPerSecond = peakPerSecond * cost.redisCalls;
  const shards = (share: number) => Math.ceil(share / assumed.busyMax);
  const partitions = replicas * assumed.partitionsPerReplica;
  const [memory, calls] = [
    redisBytes / redisShard.bytes,
    redisCallsPerSecond / redisShard.callsPerSecond,
  ];
  return {
    ...{ mailsPerDay, averagePerSecond, peakPerSecond, cores, connections, replicas, partitions },
    connectionsPerReplica: Math.ceil(connections / replicas),
    kafkaBytes: mailsPerDay * cost.eventBytes * assumed.kafkaDays * assumed.kafkaReplicas,
    kafkaBytesPerSecond: peakPerSecond * cost.eventBytes,
    ...{ redisBytes, redisCallsPerSecond },
    redisShards: Math.max(shards(memory), shards(calls)),
    shares: toShares({ cores, connections, partitions, memory, calls }),
  };
}

interface Parts {
  readonly cores: number;
  readonly connections: number;
  readonly partitions: number;
  readonly memory: number;
  readonly calls: number;
}

function toShares({ cores, connections, partitions, memory, calls }: Parts): readonly Share[] {
  const all = [
    {
      of: `the ${assumed.connectionsDefault} SMTP connections that one serve-email has by default`,
      share: connections / assumed.connectionsDefault,
      mend: "more processes, or a higher `SMTP_CONNECTIONS` where the provider allows it",
    },
    {
      of: "the memory of one Redis shard",
      share: memory,
      mend: "a Redis of several shards behind one address: each step keeps to one hash slot, and is a call of its own there",
    },
    {
      of: "the calls that one Redis shard takes, one for each step",
      share: calls,
      mend: "the same shards",
    },
    {
      of: "the core that one serve-email can use",
      share: cores,
      mend: "more processes in the group, on other cores",
    },
    {
      of: "the connections that the most generous provider documents",
      share: connections / smtpProvider.connections,
      mend: "a second provider or account, with a group of its own",
    },
    {
      of: "the partitions of one Kafka broker",
      share: (partitions * assumed.kafkaReplicas) / kafkaBroker.partitions,
      mend: "more brokers",
    },
  ];
  return all.toSorted((a, b) => b.share - a.share);
}
