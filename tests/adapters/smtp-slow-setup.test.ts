import { describe, expect, test } from "bun:test";
import { openFullBacklog, openSmtpRig, quickTimeouts } from "../support/smtp-rig.ts";

describe("Setting up with a server that is too slow", () => {
  test("a server where connecting hangs: timeout", async () => {
    await using backlog = await openFullBacklog();
    await using rig = await openSmtpRig({ port: backlog.port, connectTimeoutMs: 100 });
    expect(await rig.send("m1")).toMatchObject({
      kind: "server_down",
      cause: "timeout",
      reason: expect.stringContaining("no connection within 100ms"),
    });
  });

  test("a greeting byte by byte ends after the greeting timeout", async () => {
    await using rig = await openSmtpRig(quickTimeouts);
    rig.sink.misbehave({ at: "connect", does: { kind: "trickle", ms: 50 } });
    expect(await rig.send("m1")).toMatchObject({ kind: "server_down", cause: "timeout" });
  });

  test("a reply byte by byte ends, all steps together", async () => {
    await using rig = await openSmtpRig({ replyTimeoutMs: 100, greetingTimeoutMs: 100 });
    rig.sink.misbehave({ at: "ehlo", does: { kind: "trickle", ms: 50 } });
    expect(await rig.send("m1")).toMatchObject({ kind: "server_down", cause: "timeout" });
  });
});
