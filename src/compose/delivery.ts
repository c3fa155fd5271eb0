// What delivers one mail: templates, mailer and pipeline; also for `send-test`.
import type { ConfigProblem } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { languageTags } from "../core/languages.ts";
import type { Log } from "../core/log.ts";
import { systemClock } from "../core/time.ts";
import type { DeliverInBatches } from "../email/delivery/batches.ts";
import { BatchDelivery } from "../email/delivery/batches.ts";
import { Leases } from "../email/delivery/leases.ts";
import type { Pipeline, PipelineDeps } from "../email/delivery/pipeline.ts";
import { createPipeline } from "../email/delivery/pipeline.ts";
import { RecipientGate } from "../email/delivery/recipient-gate.ts";
import { composeMessage, feedbackSenderOf } from "../email/delivery/submission.ts";
import type { EmailEvent } from "../email/event.ts";
import { PendingOutcomes } from "../email/ledger/pending-outcomes.ts";
import type { ObserveMailer } from "../email/mailer/mail-server.ts";
import { MailServers } from "../email/mailer/mail-servers.ts";
import type { SendOutcome } from "../email/mailer/mailer.ts";
import type { SmtpSubmission, SmtpTranscriptLine } from "../email/mailer/smtp/config.ts";
import { resolveSmtpServers } from "../email/mailer/smtp/config.ts";
import type { EventType } from "../email/mails/mail-types.tsx";
import { eventTypes } from "../email/mails/mail-types.tsx";
import { createUnsubscribeLink } from "../email/preferences/preference-store.ts";
import { createSuppressRefused } from "../email/suppressions/suppression-store.ts";
import type { RenderMail } from "../email/templates/mail-renderer.tsx";
import { createMailRenderer } from "../email/templates/mail-renderer.tsx";
import { loadOverrides } from "../email/templates/overrides/load-overrides.ts";
import type { Config } from "./config.ts";
import { emailSecrets } from "./config.ts";
import type { Engines } from "./engines.ts";
import { openRecipientStores } from "./engines.ts";

interface MailTemplates {
  readonly render: RenderMail;
  /** Every language that mails can be written in: tags in lower case. */
  readonly languages: readonly string[];
}

/** The templates that the settings ask for. Throws `config_invalid` for broken ones of the operator. */
export function composeMailTemplates(config: Config): MailTemplates {
  const { templates, problems } = tryMailTemplates(config);
  throwProblems(
    problems.map(({ file, line, problem }) => {
      const place = line === undefined ? file : `${file}:${line}`;
      return { name: "TEMPLATE_DIR", problem: `${place} ${problem}` };
    }),
  );
  return templates;
}

/** The templates of a service, loaded once. */
export function mailTemplatesOf(engines: Engines): MailTemplates {
  return engines.remember("mail templates", () => composeMailTemplates(engines.config));
}

/** The same, but returns the problems; a broken template is not replaced by a built-in one. */
export function tryMailTemplates({ app, templates }: Config) {
  const { locale: fallbackLocale, codeInSubject, directory } = templates;
  const loaded =
    directory === undefined
      ? undefined
      : loadOverrides(directory, { fallbackLocale, codeInSubject });
  const options = { appName: app.name, fallbackLocale, codeInSubject };
  const overrides = loaded?.overrides;
  const render = createMailRenderer(overrides === undefined ? options : { ...options, overrides });
  const languages = [...new Set([...languageTags, ...(overrides?.languages ?? [])])];
  return { templates: { render, languages }, problems: loaded?.problems ?? [] };
}

interface Delivery {
  /** The mailer of the pipeline. */
  readonly mailer: MailServers;
  readonly pipeline: Pipeline;
  readonly deliverInBatches: DeliverInBatches;
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
  publicOrigin = engines.config.http.boundary.publicOrigin,
  observe?: ObserveMailer,
): Promise<Delivery> {
  const { config } = engines;
  const { suppressions, preferences } = await openRecipientStores(engines);
  const { suppressionMs } = config.email;
  if (config.app.emailMode === "smtp" && publicOrigin === undefined) {
    log.warn(
      {},
      "PUBLIC_URL is not set: mails have no links, neither to unsubscribe nor to undo a change of address",
    );
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
  const deps: PipelineDeps = {
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
    leases: new Leases(ledger, systemClock, config.email.leaseMs),
    unsubscribeLink: createUnsubscribeLink({
      secret: engines.emailSecrets.current,
      clock: systemClock,
      publicOrigin,
    }),
    render: mailTemplatesOf(engines).render,
    feedbackSender: feedbackSenderOf(config.app.name),
    record: (claim, change) => pendingOutcomes.record(claim, change),
    settings: {
      outageRetryForMs: config.email.outageRetryForMs,
      retryForMs: config.email.retryForMs,
      digestSecret: engines.emailSecrets.current,
      refusesLocalhost: config.app.environment === "production",
      resendAmbiguous: resendTypes(config.email.resendAmbiguous),
    },
  };
  return {
    mailer,
    pipeline: createPipeline(deps),
    deliverInBatches: (listener) => new BatchDelivery(deps, listener),
    pendingOutcomes,
  };
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

/** The servers of the SMTP settings, regardless of EMAIL_MODE. Throws `config_invalid`. */
export function testServers(config: Config): readonly SmtpSubmission[] {
  const problems: ConfigProblem[] = [];
  const servers = resolveSmtpServers(config.smtp, problems);
  throwProblems(problems);
  if (servers === undefined) throw new Error("SMTP settings are missing and not named");
  return servers;
}

/**
 * Sends one mail through `server`, composed as serve-email would, but without ledger and preferences.
 * Resolves after QUIT.
 */
export async function sendTestMail(
  config: Config,
  server: SmtpSubmission,
  event: EmailEvent,
  onTranscript: (line: SmtpTranscriptLine) => void,
): Promise<SendOutcome> {
  const { publicOrigin } = config.http.boundary;
  const unsubscribeLink = createUnsubscribeLink({
    secret: publicOrigin === undefined ? "" : emailSecrets(config).current,
    clock: systemClock,
    publicOrigin,
  });
  const { render } = composeMailTemplates(config);
  const message = composeMessage(
    {
      clock: systemClock,
      unsubscribeLink,
      render,
      feedbackSender: feedbackSenderOf(config.app.name),
    },
    event,
  );
  const { openSmtpMailer } = await import("../email/mailer/smtp/smtp.ts");
  await using mailer = openSmtpMailer({ ...server, connections: 1, onTranscript });
  return await mailer.send(message, { beforeContentEnds: async () => true });
}
