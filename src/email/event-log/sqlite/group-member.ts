import type { Log } from "../../../core/log.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { Clock } from "../../../core/time.ts";
import type { PartitionOffset } from "../flow/assignment.ts";
import type { Commit, Member, Membership, OwnedPartition, Owner } from "./membership.ts";
import {
  commitOffsets,
  readEpoch,
  releasePartitions,
  removeMember,
  renewMembership,
} from "./membership.ts";
import type { StoredTopic } from "./records.ts";
import { findTopic, isLocked, toEventLogError } from "./records.ts";

const waitingLoggedEveryMs = 10_000;

export interface GroupTimings {
  /** How often a member sends a heartbeat. */
  readonly heartbeatMs: number;
  /** A member without heartbeats for this long is replaced. */
  readonly sessionMs: number;
}

export interface GroupMemberOptions {
  readonly database: SqliteDatabase;
  readonly member: Member;
  readonly timings: GroupTimings;
  readonly clock: Clock;
  readonly log: Log;
  readonly onGained: (topic: StoredTopic, owned: readonly OwnedPartition[]) => void;
  readonly onLost: (partitions: readonly number[]) => void;
  readonly uncommitted: () => readonly PartitionOffset[];
  readonly markCommitted: (offsets: readonly PartitionOffset[]) => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * A member of a group on the file.
 *
 * Waiting: the topic does not exist yet, which is logged every 10 s. Member: heartbeats, takes its
 * share of the partitions, and releases those that others wait for, committing what is finished in
 * the same transaction. Replaced: it sent no heartbeat for too long; it notices on its next
 * heartbeat or commit, loses its partitions, and joins again. Leaving: takes no more partitions.
 * Left: its partitions are free. When the file is locked, it retries with the next heartbeat.
 */
export class SqliteGroupMember {
  readonly #options: GroupMemberOptions;
  readonly #owned = new Map<number, OwnedPartition>();
  #owner: Owner | undefined;
  #epoch = -1;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #waitingLoggedAt = Number.NEGATIVE_INFINITY;
  #renewing: Promise<void> | undefined;
  #phase: "staying" | "leaving" | "left" = "staying";

  constructor(options: GroupMemberOptions) {
    this.#options = options;
  }

  /** Heartbeats when it is due or the group has changed; returns whether it does. */
  onWakeup(mayHaveNews: boolean): boolean {
    const { clock, timings } = this.#options;
    if (this.#renewing !== undefined || this.#phase === "left") return false;
    const isDue = Math.abs(clock.now() - this.#renewedAt) >= timings.heartbeatMs;
    if (!isDue && !(mayHaveNews && this.#hasNews())) return false;
    this.#renewing = this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return true;
  }

  /** Commits offsets of partitions that it still owns. */
  async commit(): Promise<void> {
    const owner = this.#owner;
    const commits = this.#commits();
    if (owner === undefined || commits.length === 0) return;
    await this.#attempt(async () => {
      const done = await this.#options.database.write((file) =>
        commitOffsets(file, owner, commits),
      );
      const isOwned = ({ partition, generation }: Commit) =>
        this.#owned.get(partition)?.generation === generation;
      this.#options.markCommitted(done.filter(isOwned));
      if (done.length < commits.length) this.#epoch = -1; // replaced: read the group again
    });
  }

  /**
   * It keeps sending heartbeats, so that no other member takes partitions that are being drained.
   */
  prepareLeave(): void {
    if (this.#phase === "staying") this.#phase = "leaving";
  }

  async leave(): Promise<void> {
    this.#phase = "left";
    const { database, member } = this.#options;
    await database.write((file) => removeMember(file, member.token));
  }

  async #renew(): Promise<void> {
    const { database, member, timings, clock } = this.#options;
    this.#renewedAt = clock.now();
    await this.#attempt(async () => {
      const membership = await database.write((file) => {
        if (this.#phase === "left") return undefined;
        const takes = this.#phase === "staying";
        const { sessionMs } = timings;
        return renewMembership(file, member, { now: clock.now(), sessionMs, takes });
      });
      if (membership === undefined) this.#logWaiting();
      else await this.#follow(membership);
    });
  }

  async #follow({ topic, groupId, epoch, owned, excess }: Membership): Promise<void> {
    const { member, onGained } = this.#options;
    const owner = { groupId, token: member.token };
    this.#owner = owner;
    this.#epoch = epoch;
    const isOwned = ({ partition, generation }: OwnedPartition) =>
      owned.some((each) => each.partition === partition && each.generation === generation);
    const lost = [...this.#owned.values()].filter((each) => !isOwned(each));
    this.#drop(lost.map(({ partition }) => partition));
    const gained = owned.filter(
      ({ partition }) => !this.#owned.has(partition) && !excess.includes(partition),
    );
    for (const each of gained) this.#owned.set(each.partition, each);
    if (gained.length > 0) onGained(topic, gained);
    if (excess.length === 0) return;
    const commits = this.#commits().filter(({ partition }) => excess.includes(partition));
    this.#drop(excess);
    await this.#options.database.write((file) => {
      commitOffsets(file, owner, commits);
      releasePartitions(file, owner, excess);
    });
  }

  #drop(partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    for (const partition of partitions) this.#owned.delete(partition);
    this.#options.onLost(partitions);
  }

  #commits(): readonly Commit[] {
    return this.#options.uncommitted().flatMap(({ partition, offset }) => {
      const generation = this.#owned.get(partition)?.generation;
      return generation === undefined ? [] : [{ partition, generation, offset }];
    });
  }

  #hasNews(): boolean {
    const { database, member } = this.#options;
    const owner = this.#owner;
    return database.read((file) =>
      owner === undefined
        ? findTopic(file, member.topic) !== undefined
        : readEpoch(file, owner.groupId) !== this.#epoch,
    );
  }

  #logWaiting(): void {
    const { clock, log, member } = this.#options;
    const now = clock.now();
    if (this.#phase === "left" || now - this.#waitingLoggedAt < waitingLoggedEveryMs) return;
    this.#waitingLoggedAt = now;
    log.warn({ topic: member.topic }, "Topic does not exist yet, waiting for it");
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    const { log, member, onFailure } = this.#options;
    try {
      await work();
    } catch (error) {
      if (isLocked(error)) {
        log.warn({ group: member.group }, "The event log is locked, trying again");
      } else if (this.#phase !== "left") onFailure(toEventLogError(error));
    }
  }
}
