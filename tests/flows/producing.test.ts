import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { decodeEmailEvent } from "../../src/email/event.ts";
import { readCodeBlocks } from "../support/code-blocks.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";
import { findEngine } from "../support/engines.ts";

const kafka = findEngine("kafka");
const page = "docs/producing.md";

describe("docs/producing.md", () => {
  test("shows an event that is one", () => {
    const [json = ""] = readCodeBlocks(page, "json");
    expect(decodeEmailEvent(new TextEncoder().encode(json)).kind).toBe("event");
  });

  test.skipIf(kafka === undefined)("shows a program that gets a mail sent", async () => {
    await using rig = await openDeliveryRig({ kafka });
    await rig.startWorker();
    const [program = ""] = readCodeBlocks(page, "ts");
    const path = `tests/flows/producing-${crypto.randomUUID()}.ts`;
    writeFileSync(path, program);
    try {
      const environment = {
        ...process.env,
        KAFKA_BROKERS: kafka ?? "",
        KAFKA_TOPIC_EMAIL_EVENTS: rig.eventsTopic,
      };
      const child = Bun.spawn([process.execPath, path], { env: environment, stderr: "pipe" });
      expect(await child.exited).toBe(0);
    } finally {
      rmSync(path);
    }
    await rig.untilDrained();
    expect(rig.sink.accepted.map(({ to }) => to)).toEqual([["ana@example.com"]]);
  });
});
