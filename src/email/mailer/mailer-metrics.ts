import type { Clock } from "../../core/clock.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { Mailer } from "./mailer.ts";

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Times each message that is handed to a mailer: the same mailer to whoever uses it. */
export function createMailerMetrics(metrics: Metrics, clock: Clock): (mailer: Mailer) => Mailer {
  let certificateEndsAt: (() => number | undefined) | undefined;
  const durations = metrics.histogram({
    name: "instant_email_smtp_duration_seconds",
    help: "From handing a message to the SMTP client (it may wait for a connection) to its outcome.",
    labels: ["outcome"],
    buckets,
  });
  metrics.gauge(
    {
      name: "instant_email_smtp_certificate_seconds",
      help: "How long the certificate of the SMTP server is still good; left out while none was seen.",
    },
    (set) => {
      const endsAt = certificateEndsAt?.();
      if (endsAt !== undefined) set((endsAt - clock.now()) / 1000);
    },
  );
  return (mailer) => {
    certificateEndsAt = () => mailer.certificateEndsAt;
    return {
      address: mailer.address,
      concurrency: mailer.concurrency,
      get certificateEndsAt() {
        return mailer.certificateEndsAt;
      },
      get offersUtf8() {
        return mailer.offersUtf8;
      },
      send: async (message, options) => {
        const startedAt = performance.now();
        const outcome = await mailer.send(message, options);
        durations.observe((performance.now() - startedAt) / 1000, { outcome: outcome.kind });
        return outcome;
      },
      probe: (signal) => mailer.probe(signal),
      close: () => mailer.close(),
      [Symbol.asyncDispose]: () => mailer.close(),
    };
  };
}
