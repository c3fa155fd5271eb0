import { describe, expect, test } from "bun:test";
import { acceptanceRules } from "./delivery-ledger-acceptance.ts";
import { claimRules } from "./delivery-ledger-claims.ts";
import { endingRules } from "./delivery-ledger-endings.ts";
import { interleavings } from "./delivery-ledger-interleavings.ts";
import { recordRules } from "./delivery-ledger-record.ts";
import { replayRules } from "./delivery-ledger-replays.ts";
import type { LedgerFeatures, LedgerStore } from "./delivery-ledger-store.ts";
import { submissionRules } from "./delivery-ledger-submission.ts";

export type OpenLedgerStore = () => Promise<LedgerStore>;

/** The contract of `DeliveryLedger`: each of its rules is a test. */
export function deliveryLedgerContract(
  name: string,
  openStore: OpenLedgerStore,
  features: LedgerFeatures,
): void {
  describe(name, () => {
    claimRules(openStore, features);
    submissionRules(openStore, features);
    endingRules(openStore, features);
    acceptanceRules(openStore, features);
    replayRules(openStore, features);
    recordRules(openStore, features);
    interleavings(openStore, features);

    test("it says how it is connected, answers a ping, and closes twice", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      expect(ledger.connection).toBe(features.connection);
      await ledger.ping({ deadlineMs: 2000 });
      await ledger.close();
      await ledger.close();
    });
  });
}
