import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { withDeadline } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import { isOptionalType, recipientKey } from "../event.ts";
import type { PreferenceStore } from "../preferences/preference-store.ts";
import type { SuppressionReason, SuppressionStore } from "../suppressions/suppression-store.ts";

interface RecipientGateDeps {
  readonly preferences: Pick<PreferenceStore, "findDeclined">;
  readonly suppressions: Pick<SuppressionStore, "find">;
  readonly clock: Clock;
  readonly log: Log;
}

export type GateAnswer =
  | { readonly kind: "open" }
  /** The recipient gets no mail at all, or none of this type. */
  | { readonly kind: "suppressed"; readonly reason: SuppressionReason | "unsubscribed" }
  /** The stores did not answer. */
  | { readonly kind: "unavailable"; readonly reason: string };

interface Check {
  readonly key: string;
  /** Only optional mails can be declined. */
  readonly optionalType: string | undefined;
}

/** Checks that were asked together. */
interface PendingChecks {
  readonly checks: readonly Check[];
  readonly answers: PromiseWithResolvers<readonly GateAnswer[]>;
}

const checksPerBatch = 500;
const open: GateAnswer = { kind: "open" };
const queryDeadlineMs = 1_000;
const probeEveryMs = 1_000;

/**
 * Whether a mail may go to its recipient at all. Checks that come while a query runs share the next
 * one, so a batch of mails costs two statements and a single mail is not kept waiting. Nothing is
 * cached: an answer is as old as its statement.
 *
 * Available: checks are queried in batches, one at a time. A batch that fails, or has no answer within
 * 1 s, leads to unavailable. Unavailable: checks are answered so at once, and one of them a second
 * probes the stores in the background; when they answer, available.
 */
export class RecipientGate {
  readonly #deps: RecipientGateDeps;
  #waiting: PendingChecks[] = [];
  #running = false;
  #outage: (GateAnswer & { kind: "unavailable"; probeAt: number }) | undefined;

  constructor(deps: RecipientGateDeps) {
    this.#deps = deps;
  }

  get isUnavailable(): boolean {
    return this.#outage !== undefined;
  }

  async check(event: EmailEvent): Promise<GateAnswer> {
    const [answer] = await this.checkAll([event]);
    return answer as GateAnswer;
  }

  /** The answers are in order. Rejects only for programmer errors. */
  checkAll(events: readonly EmailEvent[]): Promise<readonly GateAnswer[]> {
    const checks = events.map(({ recipient, eventType }): Check => {
      const optionalType = isOptionalType(eventType) ? eventType : undefined;
      return { key: recipientKey(recipient), optionalType };
    });
    const [first] = checks;
    if (this.#outage !== undefined && first !== undefined) {
      if (this.#deps.clock.now() >= this.#outage.probeAt) this.#probe(first.key);
      const { kind, reason } = this.#outage;
      return Promise.resolve(checks.map(() => ({ kind, reason })));
    }
    const pending = { checks, answers: Promise.withResolvers<readonly GateAnswer[]>() };
    this.#waiting.push(pending);
    if (!this.#running) void this.#runBatches();
    return pending.answers.promise;
  }

  async #runBatches(): Promise<void> {
    this.#running = true;
    await new Promise((resolve) => setImmediate(resolve)); // for the mails of the same moment
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#answer(batch);
      } catch (error) {
        const open = [...batch, ...this.#waiting.splice(0)];
        if (isInstantError(error)) this.#markUnavailable(open, errorMessage(error));
        else for (const { answers } of open) answers.reject(error);
      }
    }
    this.#running = false;
  }

  /** At least one call's checks; further ones up to 500 together. */
  #takeBatch(): readonly PendingChecks[] {
    let count = 0;
    const end = this.#waiting.findIndex(({ checks }, index) => {
      count += checks.length;
      return index > 0 && count > checksPerBatch;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #answer(batch: readonly PendingChecks[]): Promise<void> {
    const [suppressed, declined] = await this.#query(batch.flatMap(({ checks }) => checks));
    const decide = ({ key, optionalType }: Check): GateAnswer => {
      const entry = suppressed.get(key);
      if (entry !== undefined) return { kind: "suppressed", reason: entry.reason };
      if (optionalType !== undefined && declined.get(key)?.has(optionalType)) {
        return { kind: "suppressed", reason: "unsubscribed" };
      }
      return open;
    };
    for (const { checks, answers } of batch) answers.resolve(checks.map(decide));
  }

  #query(batch: readonly Check[]) {
    const { preferences, suppressions } = this.#deps;
    const keys = [...new Set(batch.map(({ key }) => key))];
    const optional = batch.filter(({ optionalType }) => optionalType !== undefined);
    const optionalKeys = [...new Set(optional.map(({ key }) => key))];
    const nothing: Awaited<ReturnType<PreferenceStore["findDeclined"]>> = new Map();
    const both = Promise.all([
      suppressions.find(keys),
      optionalKeys.length === 0 ? nothing : preferences.findDeclined(optionalKeys),
    ]);
    return withDeadline("asking for suppressions and preferences", queryDeadlineMs, both);
  }

  #markUnavailable(pending: readonly PendingChecks[], reason: string): void {
    const { clock, log } = this.#deps;
    if (this.#outage === undefined)
      log.warn({ reason }, "Preferences unavailable, optional mails wait");
    this.#outage = { kind: "unavailable", reason, probeAt: clock.now() + probeEveryMs };
    for (const { checks, answers } of pending) {
      answers.resolve(checks.map(() => ({ kind: "unavailable", reason })));
    }
  }

  /** Queries both stores, whatever the mail that occasioned it. */
  #probe(key: string): void {
    if (this.#outage === undefined) return;
    this.#outage = { ...this.#outage, probeAt: Number.POSITIVE_INFINITY };
    this.#query([{ key, optionalType: "any" }]).then(
      () => {
        this.#outage = undefined;
        this.#deps.log.info({}, "Preferences available again");
      },
      (error: unknown) => {
        if (!isInstantError(error)) throw error;
        this.#markUnavailable([], errorMessage(error));
      },
    );
  }
}
