import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import type { DeliveryRigOptions } from "../support/delivery-rig.ts";
import { measureFiles, measureFrames } from "../support/mail-path.ts";

/** With more than these, nobody follows one mail through the code. */
const framesMax = 20;
const filesMax = 51;

const kafka = findEngine("kafka");
const redis = findEngine("redis");

async function expectFewFrames(engines: DeliveryRigOptions): Promise<void> {
  const { toHandler, toClient, toSocket } = await measureFrames(engines);
  expect(toClient.at(-1)).toContain("src/email/delivery/"); // each awaits the next one
  expect(toSocket.at(-1)).toContain("src/email/mailer/smtp/");
  const frames = [...toSocket, ...toClient, ...toHandler];
  expect(frames.length, frames.join("\n")).toBeLessThanOrEqual(framesMax);
}

describe("one mail on its way from the event log's batch to the socket", () => {
  test("has few frames of ours on the stack, and none of them missing", () => expectFewFrames({}));

  test.skipIf(kafka === undefined || redis === undefined)("has no more on Kafka and Redis", () =>
    expectFewFrames({ kafka, redis }),
  );

  test("touches few of our files", async () => {
    const files = await measureFiles();
    expect(files).toContain("src/email/mailer/smtp/connection.ts");
    expect(files.length, files.join("\n")).toBeLessThanOrEqual(filesMax);
  });
});
