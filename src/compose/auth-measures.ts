import { createStoreMetrics } from "../auth/store-metrics.ts";
import { systemClock } from "../core/clock.ts";
import { createRequestMetrics } from "../core/http/request-metrics.ts";
import type { Metrics } from "../core/metrics.ts";
import { createMailerMetrics } from "../email/mailer/mailer-metrics.ts";
import { createPublisherMetrics } from "../email/publisher-metrics.ts";

export type AuthMeasures = ReturnType<typeof createAuthMeasures>;

/** Everything that serve-auth tells Prometheus, beside what its process costs. */
export function createAuthMeasures(metrics: Metrics, isLogAway: () => boolean) {
  return {
    onRequest: createRequestMetrics(metrics),
    countStores: createStoreMetrics(metrics),
    onPublished: createPublisherMetrics(metrics, isLogAway),
    measureMailer: createMailerMetrics(metrics, systemClock),
  };
}
