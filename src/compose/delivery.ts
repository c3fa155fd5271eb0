import type { Log } from "../core/log.ts";
import { systemClock } from "../core/time.ts";
import type { Pipeline } from "../email/delivery/pipeline.ts";
import { createPipeline } from "../email/delivery/pipeline.ts";
import { RecipientGate } from "../email/delivery/recipient-gate.ts";
import { feedbackSenderOf } from "../email/delivery/submission.ts";
import { PendingOutcomes } from "../email/ledger/pending-outcomes.ts";
import type { ObserveMailer } from "../email/mailer/mail-server.ts";
import { MailServers } from "../email/mailer/mail-servers.ts";
import type { EventType } from "../email/mails/mail-types.tsx";
import { eventTypes } from "../email/mails/mail-types.tsx";
import { createUnsubscribeLink } from "../email/preferences/unsubscribe-link.ts";
import { createSuppressRefused } from "../email/suppressions/suppression-store.ts";
import type { Engines } from "./engines.ts";
import { mailTemplatesOf } from "./mail-templates.ts";
import { openRecipientStores } from "./stores.ts";

interface Delivery {
  /** The mailer of the pipeline. */
  readonly mailer: MailServers;
  readonly pipeline: Pipeline;
  /** Known outcomes that still have to be written to the ledger. */
  readonly pendingOutcomes: PendingOutcomes;
}

/**
 * Builds the pipeline on the engines, the same for the worker and the direct path. `publicOrigin`:
 * the public origin of serve-auth, for links in mails. `observe` sees the outcome of each message.
 */
export async function composeDelivery(
  engines: Engines,
  log: Log,
  publicOrigin = () => engines.config.http.boundary.publicOrigin,
  observe?: ObserveMailer,
): Promise<Delivery> {
  const { config } = engines;
  const { suppressions, preferences } = await openRecipientStores(engines);
  const { suppressionMs } = config.email;
  if (config.app.emailMode === "smtp" && publicOrigin() === undefined) {
    log.warn({}, "PUBLIC_URL is not set: optional mails have no unsubscribe link");
  }
  const ledger = await engines.ledger();
  const mailer = await openServers(engines, log, observe);
  const pendingOutcomes = await engines.once("outcomes", () => {
    const outcomes = new PendingOutcomes({ ledger, log: engines.log });
    return Object.assign(outcomes, {
      [Symbol.asyncDispose]: async () => {
        await outcomes.flush({ deadlineMs: config.email.drainMs });
      },
    });
  });
  const pipeline = createPipeline({
    ledger,
    mailer,
    log,
    clock: systemClock,
    random: Math.random,
    gate: new RecipientGate({ suppressions, preferences, clock: systemClock, log }),
    suppressRefused: createSuppressRefused({
      suppressions,
      clock: systemClock,
      log,
      suppressionMs,
    }),
    unsubscribeLink: createUnsubscribeLink({
      secret: engines.emailSecrets.current,
      clock: systemClock,
      publicOrigin,
    }),
    recentMails: await engines.recentMails(),
    render: mailTemplatesOf(engines).render,
    feedbackSender: feedbackSenderOf(config.app.name),
    record: (claim, change) => pendingOutcomes.record(claim, change),
    settings: {
      leaseMs: config.email.leaseMs,
      outageRetryForMs: config.email.outageRetryForMs,
      retryForMs: config.email.retryForMs,
      digestSecret: engines.emailSecrets.current,
      resendAmbiguous: resendTypes(config.email.resendAmbiguous),
    },
  });
  return { mailer, pipeline, pendingOutcomes };
}

/** One per composition: their mails are measured separately. */
async function openServers(
  engines: Engines,
  log: Log,
  observe: ObserveMailer | undefined,
): Promise<MailServers> {
  const { refusalsMax, outageRetryForMs } = engines.config.email;
  const servers = new MailServers({
    mailers: await engines.mailers(),
    clock: systemClock,
    log,
    refusalsMax,
    pauses: outageRetryForMs > 0,
    observe,
  });
  // The engines close the mailers; this ends the probes first.
  const probes = { [Symbol.asyncDispose]: async () => servers.stop() };
  await engines.once(`probes ${crypto.randomUUID()}`, () => probes);
  return servers;
}

function resendTypes(names: readonly string[]): ReadonlySet<EventType> {
  return new Set(eventTypes.filter((type) => names.includes(type)));
}
