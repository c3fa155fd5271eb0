import { describe, expect, test } from "bun:test";
import { measureFiles, measureFrames } from "../support/mail-path.ts";

/** More than these, and nobody follows one mail through the code any more. */
const framesMax = 16;
const filesMax = 50;

describe("one mail on its way from the event log's batch to the socket", () => {
  test("has few frames of ours on the stack, and none of them missing", async () => {
    const { toHandler, toSocket } = await measureFrames();
    expect(toSocket.at(-1)).toContain("src/email/delivery/worker.ts"); // each awaits the next one
    const frames = [...toSocket, ...toHandler];
    expect(frames.length, frames.join("\n")).toBeLessThanOrEqual(framesMax);
  });

  test("touches few of our files", async () => {
    const files = await measureFiles();
    expect(files).toContain("src/email/mailer/smtp/transmission.ts");
    expect(files.length, files.join("\n")).toBeLessThanOrEqual(filesMax);
  });
});
