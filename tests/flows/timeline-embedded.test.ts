import { describe } from "bun:test";
import { timelineSuite } from "./timeline-suite.ts";

describe("trace on the embedded engines", () => {
  timelineSuite({});
});
