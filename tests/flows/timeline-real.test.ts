import { describe } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { timelineSuite } from "./timeline-suite.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("trace on Kafka and Redis", () => {
  timelineSuite({ kafka, redis });
});
