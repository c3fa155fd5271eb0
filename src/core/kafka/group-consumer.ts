import { systemClock } from "../clock.ts";
import { coreErrors } from "../error-codes.ts";
import type { InstantError } from "../errors.ts";
import { errorMessage } from "../errors.ts";
import { kafkaErrors } from "./error-codes.ts";
import type { GroupMemberOptions } from "./group-session.ts";
import { GroupSession } from "./group-session.ts";

const waitMs = 1_000;
const noticeEveryMs = 10_000;
const crashesMax = 5;
const crashesForgottenAfterMs = 5 * 60_000;

/**
 * A member of a consumer group that stays one.
 *
 * Waiting: the topic or a broker is not there; looks again every second, says so at once and then
 * every 10 s, for ever. Running: a session has joined; when its brokers are silent for 10 s, that is
 * said too. Crashed: something else went wrong; a new session after 1, 2, 4, 8, 16 s, and with the
 * sixth crash within 5 minutes it has failed. Failed: `failed` has rejected; at once for an offset
 * that is out of range and for a codec that is missing, which no new session would change.
 * Stopped: the group was left.
 */
export class GroupConsumer {
  readonly #options: GroupMemberOptions;
  readonly #failure = Promise.withResolvers<never>();
  readonly #stopped = new AbortController();
  #session: GroupSession | undefined;
  #life: Promise<void> | undefined;
  #trouble: InstantError | undefined;
  #isJoined = false;
  #crashedAt: number[] = [];

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#failure.promise.catch(() => {}); // a failure that nobody listens to is not unhandled
  }

  /** Never resolves. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  start(): void {
    this.#life ??= this.#live();
  }

  /** Until the next assignment; ignored while there is no session. */
  setFetching(partition: number, isFetching: boolean): void {
    this.#session?.setFetching(partition, isFetching);
  }

  /** Whether Kafka took them. */
  async commit(offsets: readonly { partition: number; offset: number }[]): Promise<boolean> {
    const { topic, group, log } = this.#options;
    try {
      if (this.#session === undefined) return false;
      await this.#session.commit(offsets);
      return true;
    } catch (error) {
      log.debug({ topic, group, reason: errorMessage(error) }, "Commit failed");
      return false;
    }
  }

  /** Leaves the group; idempotent. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#session?.stop();
    await this.#life;
  }

  async #live(): Promise<void> {
    const notice = setInterval(() => this.#sayTrouble(), noticeEveryMs);
    try {
      while (!this.#stopped.signal.aborted) {
        const error = await this.#runSession();
        if (error === undefined || this.#stopped.signal.aborted) return;
        const pauseMs = this.#pauseAfter(error);
        if (pauseMs === undefined) return this.#failure.reject(error);
        await systemClock.sleep(pauseMs, this.#stopped.signal);
      }
    } finally {
      clearInterval(notice);
    }
  }

  async #runSession(): Promise<InstantError | undefined> {
    const session = new GroupSession({
      ...this.#options,
      onAssigned: (partitions) => {
        this.#trouble = undefined;
        this.#isJoined = true;
        this.#options.onAssigned(partitions);
      },
    });
    this.#session = session;
    const error = await session.run();
    this.#session = undefined;
    this.#isJoined = false;
    this.#options.onAssigned([]);
    return error;
  }

  /** How long to wait for the next session; undefined: there is none. */
  #pauseAfter(error: InstantError): number | undefined {
    const { row } = error;
    const { topic, group, log } = this.#options;
    if (row === kafkaErrors.offsetOutOfRange || row === kafkaErrors.codecMissing) return undefined;
    if (row === coreErrors.kafkaUnavailable || row === kafkaErrors.topicMissing) {
      const isNews = this.#trouble?.row !== row;
      this.#trouble = error;
      if (isNews) this.#sayTrouble();
      return waitMs;
    }
    const now = Date.now();
    this.#crashedAt = this.#crashedAt.filter((at) => at > now - crashesForgottenAfterMs);
    this.#crashedAt.push(now);
    const crashes = this.#crashedAt.length;
    if (crashes > crashesMax) return undefined;
    log.error({ topic, group, crashes, reason: error.message }, "The consumer crashed");
    return 1_000 * 2 ** (crashes - 1);
  }

  /** Why no record can come now, as far as it is known; undefined while all is well. */
  get trouble(): string | undefined {
    if (this.#trouble !== undefined) return this.#trouble.message;
    if (!this.#isJoined) return "Kafka: the group was not joined yet";
    const silentMs = Date.now() - (this.#session?.aliveAt ?? Date.now());
    return silentMs > noticeEveryMs
      ? `Kafka has not answered for ${Math.round(silentMs / 1_000)} s: see whether the brokers of KAFKA_BROKERS run`
      : undefined;
  }

  #sayTrouble(): void {
    const { topic, group, log } = this.#options;
    const reason = this.trouble;
    if (reason === undefined) return;
    const isTopicMissing = this.#trouble?.row === kafkaErrors.topicMissing;
    log.warn(
      { topic, group, reason },
      isTopicMissing ? "Waiting for the topic" : "Waiting for Kafka",
    );
  }
}
