/** What others document of themselves. Read again when a number here decides something. */
export interface DocumentedLimit {
  readonly what: string;
  readonly says: string;
  readonly source: string;
}

/** Above this a Redis database belongs on several shards. */
export const redisShard = { bytes: 25e9, callsPerSecond: 25_000 } as const;
/** Recommended at most, of all topics and replicas together. */
export const kafkaBroker = { partitions: 4000 } as const;
/** The most that a provider documents, from one server. */
export const smtpProvider = { connections: 10_000 } as const;

export const documentedLimits: readonly DocumentedLimit[] = [
  {
    what: "Kafka, one broker",
    says: "at most 4,000 partitions, and 200,000 in a cluster; one consumer of a group for each partition",
    source:
      "https://cwiki.apache.org/confluence/spaces/KAFKA/pages/148641509/KIP-578+Add+configuration+to+limit+number+of+partitions",
  },
  {
    what: "Redis, one shard",
    says: "several shards from 25 GB, or 25,000 operations a second",
    source: "https://redis.io/docs/latest/operate/rc/databases/configuration/clustering/",
  },
  {
    what: "SendGrid",
    says: "10,000 connections at once from one server, 5,000 mails each",
    source: "https://docs.sendgrid.com/for-developers/sending-email/integrating-with-the-smtp-api",
  },
  {
    what: "SocketLabs",
    says: "10 connections at once for an account",
    source: "https://help.socketlabs.com/docs/smtp-server-restrictions",
  },
  {
    what: "Amazon SES",
    says: "200 mails a day and 1 a second to begin with; beyond that, what was agreed, by the day and by the second",
    source: "https://docs.aws.amazon.com/ses/latest/dg/quotas.html",
  },
  {
    what: "Gmail for a company",
    says: "2,000 mails a day for a user",
    source: "https://support.google.com/a/answer/166852",
  },
];
