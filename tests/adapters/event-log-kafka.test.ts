import { findEngine } from "../../support/engines.ts";
import { nobodysBroker, openKafkaLogAt, truncateKafkaTopic } from "../../support/kafka-logs.ts";
import { testEventLog } from "../contract/event-log.ts";

const brokers = findEngine("kafka");

if (brokers !== undefined) {
  testEventLog("Kafka", {
    open: () => openKafkaLogAt(brokers),
    childAddress: `kafka:${brokers}`,
    openUnavailable: () => openKafkaLogAt(nobodysBroker),
    truncate: (topic, offset) => truncateKafkaTopic(brokers, topic, offset),
    features: { headerOrder: "kept", rebalanceMsMax: 10_000, takeOverMsMax: 25_000 },
  });
}
