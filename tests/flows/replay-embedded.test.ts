import { describe } from "bun:test";
import { replaySuite } from "./replay-suite.ts";

describe("replay on the embedded engines", () => {
  replaySuite({});
});
