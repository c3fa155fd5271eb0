import { describe, expect, test } from "bun:test";
import { batchRules } from "./delivery-ledger-batches.ts";
import { claimRules, submissionRules } from "./delivery-ledger-claims.ts";
import { acceptanceRules, endingRules, replayRules } from "./delivery-ledger-endings.ts";
import { interleavings } from "./delivery-ledger-interleavings.ts";
import { recordRules } from "./delivery-ledger-record.ts";
import type { LedgerFeatures, OpenLedgerStore } from "./delivery-ledger-store.ts";

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
    batchRules(openStore, features);

    test("it reports how it is connected, answers a ping, and closes twice", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      expect(ledger.connection).toBe(features.connection);
      await ledger.ping({ deadlineMs: 2000 });
      await ledger.close();
      await ledger.close();
    });
  });
}
