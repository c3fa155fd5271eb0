import type { Clock } from "../../core/clock.ts";
import type { Metrics } from "../../core/metrics.ts";
import { classifyReply } from "../../core/smtp/classify-reply.ts";
import type { Mailer, SendOutcome } from "./mailer.ts";

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Times each message that is handed to a mailer: the same mailer to whoever uses it. */
export function createMailerMetrics(metrics: Metrics, clock: Clock): (mailer: Mailer) => Mailer {
  const measured: Mailer[] = [];
  const refusals = metrics.counter({
    name: "instant_email_smtp_refusals_total",
    help: "Mails that an SMTP server did not take, by whose fault its reply says it is.",
    labels: ["class", "server"],
  });
  metrics.gauge(
    {
      name: "instant_email_smtp_mails_per_second_max",
      help: "How fast mails are sent at most now; left out while nothing limits it.",
      labels: ["server"],
    },
    (set) => {
      for (const { address, perSecond } of measured) {
        if (perSecond !== undefined) set(perSecond, { server: address });
      }
    },
  );
  const durations = metrics.histogram({
    name: "instant_email_smtp_duration_seconds",
    help: "From handing a message to the SMTP client (it may wait for a connection) to its outcome.",
    labels: ["outcome", "server"],
    buckets,
  });
  metrics.gauge(
    {
      name: "instant_email_smtp_certificate_seconds",
      help: "How long the certificate of the SMTP server is still good; left out while none was seen.",
      labels: ["server"],
    },
    (set) => {
      for (const { address, certificateEndsAt } of measured) {
        if (certificateEndsAt === undefined) continue;
        set((certificateEndsAt - clock.now()) / 1000, { server: address });
      }
    },
  );
  return (mailer) => {
    measured.push(mailer);
    return {
      address: mailer.address,
      concurrency: mailer.concurrency,
      get certificateEndsAt() {
        return mailer.certificateEndsAt;
      },
      get perSecond() {
        return mailer.perSecond;
      },
      get offersUtf8() {
        return mailer.offersUtf8;
      },
      send: async (message, options) => {
        const startedAt = performance.now();
        const outcome = await mailer.send(message, options);
        const server = mailer.address;
        durations.observe((performance.now() - startedAt) / 1000, {
          outcome: outcome.kind,
          server,
        });
        const name = classOf(outcome);
        if (name !== undefined) refusals.add({ class: name, server });
        return outcome;
      },
      probe: (signal) => mailer.probe(signal),
      close: () => mailer.close(),
      [Symbol.asyncDispose]: () => mailer.close(),
    };
  };
}

function classOf(outcome: SendOutcome): string | undefined {
  if (outcome.kind === "server_down") return outcome.cause;
  if (outcome.kind === "throttled") return "rate";
  if (outcome.kind !== "refused" && outcome.kind !== "deferred") return undefined;
  return classifyReply({ ...outcome, text: outcome.reply }, outcome.stage);
}
