import { describe } from "bun:test";
import { traceSuite } from "./trace-suite.ts";

describe("trace on the embedded engines", () => {
  traceSuite({});
});
