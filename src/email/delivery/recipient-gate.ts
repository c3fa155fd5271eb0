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
  /** The recipient gets no mail at all, or not of this type. */
  | { readonly kind: "suppressed"; readonly reason: SuppressionReason | "unsubscribed" }
  /** The stores did not answer. */
  | { readonly kind: "away"; readonly reason: string };

interface Look {
  readonly key: string;
  /** Only for these is there a preference to ask for. */
  readonly optionalType: string | undefined;
  readonly answer: PromiseWithResolvers<GateAnswer>;
}

const looksPerBatch = 500;
const askDeadlineMs = 1_000;
const probeEveryMs = 1_000;

/**
 * Whether a mail may go to its recipient at all. What is asked for while an answer is awaited is
 * asked in one go afterwards, so a batch of mails costs two statements and a mail alone is not kept
 * waiting. Nothing is remembered: an answer is as old as its statement.
 *
 * Up: looks are asked in batches, one at a time. A batch that fails, or has no answer within 1 s,
 * leads to away. Away: looks are answered at once, and one a second asks the stores again in the
 * background; when they answer, up.
 */
export class RecipientGate {
  readonly #deps: RecipientGateDeps;
  #waiting: Look[] = [];
  #asking = false;
  #away: (GateAnswer & { kind: "away"; probeAt: number }) | undefined;

  constructor(deps: RecipientGateDeps) {
    this.#deps = deps;
  }

  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /** Rejects for programmer errors alone. */
  look({ recipient, eventType }: EmailEvent): Promise<GateAnswer> {
    const key = recipientKey(recipient);
    if (this.#away !== undefined) {
      if (this.#deps.clock.now() >= this.#away.probeAt) this.#probe(key);
      const { kind, reason } = this.#away;
      return Promise.resolve({ kind, reason });
    }
    const optionalType = isOptionalType(eventType) ? eventType : undefined;
    const look = { key, optionalType, answer: Promise.withResolvers<GateAnswer>() };
    this.#waiting.push(look);
    if (!this.#asking) void this.#askAll();
    return look.answer.promise;
  }

  async #askAll(): Promise<void> {
    this.#asking = true;
    await new Promise((resolve) => setImmediate(resolve)); // the mails that come in the same moment
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, looksPerBatch);
      try {
        await this.#answer(batch);
      } catch (error) {
        const open = [...batch, ...this.#waiting.splice(0)];
        if (isInstantError(error)) this.#goAway(open, errorMessage(error));
        else for (const { answer } of open) answer.reject(error);
      }
    }
    this.#asking = false;
  }

  async #answer(batch: readonly Look[]): Promise<void> {
    const [suppressed, declined] = await this.#ask(batch);
    for (const { key, optionalType, answer } of batch) {
      const entry = suppressed.get(key);
      if (entry !== undefined) answer.resolve({ kind: "suppressed", reason: entry.reason });
      else if (optionalType !== undefined && declined.get(key)?.has(optionalType)) {
        answer.resolve({ kind: "suppressed", reason: "unsubscribed" });
      } else answer.resolve({ kind: "open" });
    }
  }

  #ask(batch: readonly Pick<Look, "key" | "optionalType">[]) {
    const { preferences, suppressions } = this.#deps;
    const keys = [...new Set(batch.map(({ key }) => key))];
    const optional = batch.filter(({ optionalType }) => optionalType !== undefined);
    const asked = [...new Set(optional.map(({ key }) => key))];
    const nothing: Awaited<ReturnType<PreferenceStore["findDeclined"]>> = new Map();
    const both = Promise.all([
      suppressions.find(keys),
      asked.length === 0 ? nothing : preferences.findDeclined(asked),
    ]);
    return withDeadline("asking for suppressions and preferences", askDeadlineMs, both);
  }

  #goAway(looks: readonly Look[], reason: string): void {
    const { clock, log } = this.#deps;
    if (this.#away === undefined) log.warn({ reason }, "Preferences are away, optional mails wait");
    this.#away = { kind: "away", reason, probeAt: clock.now() + probeEveryMs };
    for (const { answer } of looks) answer.resolve({ kind: "away", reason });
  }

  /** Asks for both, whatever the mail that occasioned it. */
  #probe(key: string): void {
    if (this.#away === undefined) return;
    this.#away = { ...this.#away, probeAt: Number.POSITIVE_INFINITY };
    this.#ask([{ key, optionalType: "any" }]).then(
      () => {
        this.#away = undefined;
        this.#deps.log.info({}, "Preferences are back");
      },
      (error: unknown) => {
        if (!isInstantError(error)) throw error;
        this.#goAway([], errorMessage(error));
      },
    );
  }
}
