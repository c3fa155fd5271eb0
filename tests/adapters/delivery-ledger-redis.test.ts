import { findEngine } from "../../support/engines.ts";
import { deliveryLedgerContract } from "../contract/delivery-ledger.ts";
import { openRedisLedgerStore } from "../support/ledger-stores.ts";

const url = findEngine("redis");
if (url !== undefined) {
  deliveryLedgerContract("DeliveryLedger in Redis", () => openRedisLedgerStore(url), {
    connection: "connected",
    leaseMs: 120,
    seeds: 48,
    daysPass: false,
  });
}
