import type { ConfigProblem, ConfigValues } from "../core/config.ts";
import {
  durationField,
  integerField,
  listField,
  patternField,
  portField,
  secretField,
  textField,
} from "../core/config.ts";
import { eventTypes } from "./mails/mail-types.tsx";

const hourMs = 3_600_000;

/** The settings of the e-mail service, some of which other modules read as well. */
export const emailFields = {
  servicePort: portField({
    name: "EMAIL_SERVICE_PORT",
    fallback: "8085",
    doc: "Port of serve-email's health, stats and operations pages.",
  }),
  serviceBind: textField({
    name: "EMAIL_SERVICE_BIND",
    fallback: "127.0.0.1",
    doc: "Address that serve-email listens on; 0.0.0.0 in a container.",
  }),
  serviceHost: textField({
    name: "EMAIL_SERVICE_HOST",
    fallback: "localhost",
    doc: "Name by which others reach serve-email: printed when it starts, never listened on.",
  }),
  secret: secretField({
    name: "EMAIL_SECRET",
    charsMin: 32,
    doc: "Key of the ledger's digests and of the links in mails. Unset: generated once, into DATA_DIR.",
  }),
  secretPrevious: secretField({
    name: "EMAIL_SECRET_PREVIOUS",
    charsMin: 32,
    doc: "The EMAIL_SECRET before a change, so that the unsubscribe links in mails sent with it keep working; they are good for a year.",
  }),
  suppressionMs: durationField({
    name: "EMAIL_SUPPRESSION",
    minMs: 0,
    maxMs: 10 * 365 * 24 * hourMs,
    fallback: "720h",
    doc: "How long an address gets no mail after a server refused it as nonexistent, or it was reported as bounced. 0: it goes on getting mail.",
  }),
  outageRetryForMs: durationField({
    name: "EMAIL_OUTAGE_RETRY_FOR",
    minMs: 0,
    maxMs: 22 * hourMs,
    fallback: "20h",
    doc: "How long a mail waits, from its timestamp, for an SMTP server that is down. 0: it is given up after its three retries.",
  }),
  retryForMs: durationField({
    name: "EMAIL_RETRY_FOR",
    minMs: 0,
    maxMs: 22 * hourMs,
    fallback: "4h",
    doc: "How long a mail that the server defers (4xx, greylisting) is retried, from its timestamp or its replay, and never beyond its expiry. There are at least three retries, after 1, 2 and 4 s; further ones come after 8, 16 … s, up to 5 min.",
  }),
  leaseMs: durationField({
    name: "EMAIL_LEASE",
    minMs: 1000,
    maxMs: 300_000,
    fallback: "15s",
    doc: "How long a claim on a mail outlives a worker that died; three times as long while the server's answer to the content is awaited. A living worker renews its claims.",
  }),
  drainMs: durationField({
    name: "EMAIL_DRAIN_TIMEOUT",
    minMs: 0,
    maxMs: 300_000,
    fallback: "25s",
    doc: "How long serve-email may take to finish what is in flight when it stops.",
  }),
  poisonMax: integerField({
    name: "EMAIL_POISON_GUARD",
    min: 0,
    max: 100,
    fallback: "50",
    doc: "More unreadable records than this among the last 100 pause the worker, instead of moving a whole topic to the dead letters after a bad deploy. 0: no guard.",
  }),
  refusalsMax: integerField({
    name: "EMAIL_REFUSAL_GUARD",
    min: 0,
    max: 1000,
    fallback: "10",
    doc: "This many different recipients refused by an SMTP server in a row, with no mail accepted in between, are the server's fault: delivery through it pauses, and nothing becomes a dead letter. A refusal waits for the next accepted mail, or 5 s without another refusal, before it is believed. 2 or more; 0: each is believed at once.",
  }),
  resendAmbiguous: listField({
    name: "EMAIL_RESEND_AMBIGUOUS",
    itemPattern: new RegExp(`^(?:none|${eventTypes.join("|")})$`),
    item: `none, ${eventTypes.join(", ")}`,
    fallback: "verification_code",
    doc: "Types that are sent again, once, when the server's answer after the content was lost. The others become dead letters, for a person to decide.",
  }),
} as const;

/** What a single field cannot check. */
export function checkEmail({ refusalsMax }: ConfigValues<typeof emailFields>): ConfigProblem[] {
  if (refusalsMax !== 1) return [];
  const problem = "must be 0, or 2 to 1000: a single refusal says nothing about the server";
  return [{ name: "EMAIL_REFUSAL_GUARD", problem }];
}

const topicName = {
  pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  shape: "1 to 249 letters, digits, dots, underscores and dashes",
};

/** Names on the event log. */
export const topicFields = {
  events: patternField({
    ...topicName,
    name: "KAFKA_TOPIC_EMAIL_EVENTS",
    fallback: "email-events",
    doc: "Topic of the e-mail events.",
  }),
  deadLetters: patternField({
    ...topicName,
    name: "KAFKA_TOPIC_EMAIL_DLQ",
    fallback: "email-events-dlq",
    doc: "Topic of what could not be sent.",
  }),
  group: patternField({
    ...topicName,
    name: "KAFKA_CONSUMER_GROUP",
    fallback: "email-service-group",
    doc: "Consumer group of serve-email. All processes of one group share the work.",
  }),
  partitions: integerField({
    name: "KAFKA_TOPIC_PARTITIONS",
    min: 1,
    max: 1000,
    fallback: "3",
    doc: "Partitions of the events topic when create-topics creates or grows it.",
  }),
  replicationFactor: integerField({
    name: "KAFKA_REPLICATION_FACTOR",
    min: 1,
    max: 10,
    fallback: "1",
    doc: "Replicas of each partition when create-topics creates a topic.",
  }),
} as const;
