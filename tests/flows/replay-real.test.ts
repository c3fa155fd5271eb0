import { describe } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { replaySuite } from "./replay-suite.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("replay on Kafka and Redis", () => {
  replaySuite({ kafka, redis });
});
