import { describe } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { traceSuite } from "./trace-suite.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("trace on Kafka and Redis", () => {
  traceSuite({ kafka, redis });
});
