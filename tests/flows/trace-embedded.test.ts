import { describe } from "bun:test";
import { timelineSuite } from "./trace-suite.ts";

describe("trace on the embedded engines", () => {
  timelineSuite({});
});
