import { findEngine } from "../../support/engines.ts";
import { deliveryLedgerContract } from "../contract/delivery-ledger.ts";
import { openRedisLedgerStore, openSqliteLedgerStore } from "../support/ledger-stores.ts";

deliveryLedgerContract("DeliveryLedger in SQLite", openSqliteLedgerStore, {
  connection: "embedded",
  leaseMs: 15_000,
  seeds: 1000,
  batchSeeds: 30,
  daysPass: true,
});

const url = findEngine("redis");
if (url !== undefined) {
  deliveryLedgerContract("DeliveryLedger in Redis", () => openRedisLedgerStore(url), {
    connection: "connected",
    leaseMs: 120,
    seeds: 48,
    batchSeeds: 10,
    daysPass: false,
  });
}
