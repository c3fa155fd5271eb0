import { describe } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { recipientsSuite } from "./recipients-suite.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");
const postgres = findEngine("postgres");
const missing = kafka === undefined || redis === undefined || postgres === undefined;

describe("recipients on the embedded engines", () => {
  recipientsSuite({});
});

describe.skipIf(missing)("recipients on Kafka, Redis and Postgres", () => {
  recipientsSuite({ kafka, redis, postgres });
});
