import type {
  Claim,
  ClaimRequest,
  DeliveryLedger,
  LedgerChange,
  LedgerState,
} from "../../src/email/ledger/delivery-ledger.ts";

/** A store of its own for one test, and what a test needs beside the port. */
export interface LedgerStore extends AsyncDisposable {
  /** A ledger on this store, as one more process would open it. Closed with the store. */
  open(): Promise<DeliveryLedger>;
  /** The store's time. */
  now(): number;
  pass(durationMs: number): Promise<void>;
  /** The stored text; undefined when there is none. */
  read(messageId: string): Promise<string | undefined>;
  /** Puts a text where the record is, as another program would. */
  plant(messageId: string, text: string): Promise<void>;
  /** How long the record still lives. */
  livesMs(messageId: string): Promise<number>;
  /** The same records at a time of its own, where time can be moved; else the same store. */
  branch(): LedgerStore;
}

export type OpenLedgerStore = () => Promise<LedgerStore>;

/** In what the adapters may differ. */
export interface LedgerFeatures {
  readonly connection: DeliveryLedger["connection"];
  /** A lease that `pass` can outlive in a test, and that outlives a few calls. */
  readonly leaseMs: number;
  /** How many seeds of random interleavings to run. */
  readonly seeds: number;
  /** As many of random batches. */
  readonly batchSeeds: number;
  /** `pass` can let a day go by. */
  readonly daysPass: boolean;
}

export const smtp = { host: "mx.example.com:25", reply: "250 2.0.0 Ok: queued", queueId: "A1" };

/** Requests of one mail, with defaults that a test changes. */
export function mail(store: LedgerStore, features: LedgerFeatures) {
  const messageId = crypto.randomUUID();
  const request = (owner: string, other: Partial<ClaimRequest> = {}): ClaimRequest => ({
    messageId,
    owner,
    digest: "key001.digest",
    eventType: "welcome",
    recipient: "a***@example.com",
    eventTimestamp: store.now(),
    origin: undefined,
    replayCount: 0,
    leaseMs: features.leaseMs,
    resubmit: false,
    ...other,
  });
  const claim = (owner: string, fence = 1): Claim => ({ messageId, owner, fence });
  return { messageId, request, claim };
}

export const changes = {
  accepted: { kind: "accepted", smtp },
  rejected: { kind: "rejected", class: "refused", reason: "550 no such user" },
  ambiguous: { kind: "ambiguous", reason: "connection lost" },
  expired: { kind: "expired" },
  suppressed: { kind: "suppressed", reason: "unsubscribed" },
} as const satisfies Partial<Record<LedgerState, LedgerChange>>;

/** Brings a fresh mail to `state` as owner "a" with fence 1. */
export async function bringTo(
  ledger: DeliveryLedger,
  { request, claim }: ReturnType<typeof mail>,
  state: LedgerState,
  leaseMs: number,
): Promise<void> {
  await ledger.claim(request("a", { leaseMs }));
  if (state === "claimed") return;
  const viaSubmitting = state === "submitting" || state === "accepted" || state === "ambiguous";
  if (viaSubmitting) await ledger.advance(claim("a"), { kind: "submitting", leaseMs });
  if (state === "submitting") return;
  await ledger.advance(claim("a"), changes[state]);
}
