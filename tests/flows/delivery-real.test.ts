import { describe } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { deliverySuite } from "./delivery-suite.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("delivery on Kafka and Redis", () => {
  deliverySuite({ kafka, redis });
});
