import { describe } from "bun:test";
import { deliverySuite } from "./delivery-suite.ts";

describe("delivery on the embedded engines", () => {
  deliverySuite({});
});
