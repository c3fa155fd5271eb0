import { deliveryLedgerContract } from "../contract/delivery-ledger.ts";
import { openSqliteLedgerStore } from "../support/ledger-stores.ts";

deliveryLedgerContract("DeliveryLedger in SQLite", openSqliteLedgerStore, {
  connection: "embedded",
  leaseMs: 15_000,
  seeds: 1000,
  daysPass: true,
});
