import type { ConfigProblem, ConfigValues } from "../core/config.ts";
import { setting } from "../core/config.ts";
import { languageTags } from "../core/languages.ts";
import { listEventTypes } from "./mails/mail-types.tsx" with { type: "macro" };

const hourMs = 3_600_000;

/** Listed while the program is built: settings are read first, and the mail types load slowly. */
const eventTypes = listEventTypes();

/** The settings of the e-mail service, including those that other modules read. */
export const emailFields = {
  servicePort: setting.port({
    name: "EMAIL_SERVICE_PORT",
    fallback: "8085",
    doc: "Port of serve-email's health checks, stats, metrics and operators' pages.",
  }),
  serviceBind: setting.text({
    name: "EMAIL_SERVICE_BIND",
    fallback: "127.0.0.1",
    doc: "Address to listen on; 0.0.0.0 in a container.",
  }),
  serviceHost: setting.text({
    name: "EMAIL_SERVICE_HOST",
    fallback: "localhost",
    doc: "Host name under which others reach serve-email. It is only logged at start.",
  }),
  secret: setting.secret({
    name: "EMAIL_SECRET",
    charsMin: 32,
    doc: "Key of the ledger's digests and of the links in mails. Unset: generated once into DATA_DIR.",
  }),
  secretPrevious: setting.secret({
    name: "EMAIL_SECRET_PREVIOUS",
    charsMin: 32,
    doc: "The former EMAIL_SECRET, so that unsubscribe links in older mails keep working; they are valid for a year.",
  }),
  suppressionMs: setting.duration({
    name: "EMAIL_SUPPRESSION",
    minMs: 0,
    maxMs: 10 * 365 * 24 * hourMs,
    fallback: "720h",
    doc: "How long an address is suppressed after a server said that it does not exist, or a hard bounce was reported. 0: neither suppresses it.",
  }),
  outageRetryForMs: setting.duration({
    name: "EMAIL_OUTAGE_RETRY_FOR",
    minMs: 0,
    maxMs: 22 * hourMs,
    fallback: "20h",
    doc: "How long a mail waits, from its timestamp, for an SMTP server that is down. 0: it becomes a dead letter after three retries.",
  }),
  retryForMs: setting.duration({
    name: "EMAIL_RETRY_FOR",
    minMs: 0,
    maxMs: 22 * hourMs,
    fallback: "4h",
    doc: "How long a deferred mail (4xx, greylisting) is retried, from its timestamp or replay, and never beyond its expiry. There are at least three retries, after 1, 2 and 4 s; then after 8, 16 … s, up to 5 min.",
  }),
  leaseMs: setting.duration({
    name: "EMAIL_LEASE",
    minMs: 1000,
    maxMs: 300_000,
    fallback: "15s",
    doc: "Lease of a claim on a mail: how long the claim outlives a dead worker; three times as long while waiting for the server's answer to the content. A live worker renews it.",
  }),
  drainMs: setting.duration({
    name: "EMAIL_DRAIN_TIMEOUT",
    minMs: 0,
    maxMs: 300_000,
    fallback: "25s",
    doc: "How long serve-email may take to finish what is in flight when it is stopped.",
  }),
  poisonMax: setting.integer({
    name: "EMAIL_POISON_GUARD",
    min: 0,
    max: 100,
    fallback: "50",
    doc: "More than this many unreadable records among the last 100 pause the worker, instead of moving a whole topic to the dead letters after a bad deploy. 0: off.",
  }),
  refusalsMax: setting.integer({
    name: "EMAIL_REFUSAL_GUARD",
    min: 0,
    max: 1000,
    fallback: "10",
    doc: "If an SMTP server refuses this many different recipients in a row and accepts no mail in between, the server is at fault: delivery through it pauses, and nothing becomes a dead letter. A refusal counts as definite after the next accepted mail, or after 5 s without another refusal. 2 or more; 0: each is definite at once.",
  }),
  resendAmbiguous: setting.list({
    name: "EMAIL_RESEND_AMBIGUOUS",
    itemPattern: new RegExp(`^(?:none|${eventTypes.join("|")})$`),
    item: `none, ${eventTypes.join(", ")}`,
    fallback: "verification_code",
    doc: "Types that are sent again, once, when the server's answer after the content was lost. Others become dead letters, and a person decides.",
  }),
} as const;

/** Checks that a single field cannot make. */
export function checkEmail({ refusalsMax }: ConfigValues<typeof emailFields>): ConfigProblem[] {
  if (refusalsMax !== 1) return [];
  const problem = "must be 0, or 2 to 1000: one refusal says nothing about the server";
  return [{ name: "EMAIL_REFUSAL_GUARD", problem }];
}

const topicName = {
  pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  shape: "1 to 249 letters, digits, dots, underscores and dashes",
};

/** Topics and consumer group. */
export const topicFields = {
  events: setting.pattern({
    ...topicName,
    name: "KAFKA_TOPIC_EMAIL_EVENTS",
    fallback: "email-events",
    doc: "Topic of the e-mail events.",
  }),
  deadLetters: setting.pattern({
    ...topicName,
    name: "KAFKA_TOPIC_EMAIL_DLQ",
    fallback: "email-events-dlq",
    doc: "Dead-letter topic, for what could not be sent.",
  }),
  group: setting.pattern({
    ...topicName,
    name: "KAFKA_CONSUMER_GROUP",
    fallback: "email-service-group",
    doc: "Consumer group of serve-email. The processes of a group share the partitions.",
  }),
  partitions: setting.integer({
    name: "KAFKA_TOPIC_PARTITIONS",
    min: 1,
    max: 1000,
    fallback: "3",
    doc: "Partitions of the events topic when create-topics creates or grows it.",
  }),
  replicationFactor: setting.integer({
    name: "KAFKA_REPLICATION_FACTOR",
    min: 1,
    max: 10,
    fallback: "1",
    doc: "Replication factor of topics that create-topics creates.",
  }),
} as const;

/** Settings of the content of mails. */
export const templateFields = {
  locale: setting.pattern({
    name: "EMAIL_LOCALE",
    pattern: /^(?=.{2,35}$)[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/,
    shape: "a language as in BCP 47, such as en or es-MX",
    fallback: "en",
    doc: `Language of a mail whose event names none, or an unsupported one, and of pages for people who name none of ours. Supported are ${languageTags.join(", ")}, and for mails what TEMPLATE_DIR adds.`,
  }),
  codeInSubject: setting.flag({
    name: "EMAIL_CODE_IN_SUBJECT",
    fallback: "false",
    doc: "Whether the subject of a verification_code mail contains the code. Convenient, but also readable on a locked phone.",
  }),
  directory: setting.text({
    name: "TEMPLATE_DIR",
    doc: "Directory of templates that replace the built-in ones, see docs/templates.md. Read once, at start; the service refuses to start with an invalid one.",
  }),
} as const;
