import { expect, test } from "bun:test";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";

async function startSink() {
  const words = ["support/smtp-sink/main.ts", "--port", "0", "--http-port", "0"];
  const child = Bun.spawn([process.execPath, ...words], { stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  const ports = JSON.parse(new TextDecoder().decode(value)) as Record<string, number>;
  return {
    port: ports["smtpPort"] ?? 0,
    url: `http://127.0.0.1:${ports["httpPort"]}`,
    stop: async () => {
      child.kill("SIGTERM");
      return child.exited;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test("the sink as a process keeps, counts and forgets, misbehaves, and ends when asked", async () => {
  await using sink = await startSink();
  const json = async (path: string): Promise<unknown> => (await fetch(sink.url + path)).json();
  await using mailer = openSmtpMailer({
    host: "127.0.0.1",
    port: sink.port,
    tls: "none",
    connections: 2,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    from: "noreply@example.com",
  });
  const send = (messageId: string) =>
    mailer.send(
      { messageId, to: "ana@example.com", subject: "Grüße", text: "Größe", html: "<p>x</p>" },
      { beforeContentEnds: async () => true },
    );
  for (const id of ["m1", "m2", "m2"]) await send(id);
  expect(await json("/messages?limit=2")).toMatchObject([
    { messageId: "m2", to: ["ana@example.com"], subject: "Grüße", text: "Größe\r\n" },
    { messageId: "m2" },
  ]);
  const counts = { accepted: 3, distinct: 2, once: 1, doubles: { m2: 2 } };
  expect(await json("/counts")).toEqual(counts);
  expect(await json("/counts?id=m1")).toEqual({ ...counts, count: 1 });

  const rule = { at: "rcpt", does: { kind: "reply", text: "550 5.1.1 no" }, recipient: "^ana@" };
  const put = (rules: unknown) =>
    fetch(`${sink.url}/behaviour`, { method: "PUT", body: JSON.stringify(rules) });
  expect((await put([{ at: "nowhere" }])).status).toBe(400);
  expect((await put([rule])).status).toBe(204);
  expect(await send("m3")).toMatchObject({ kind: "refused", code: 550 });
  await put([]);
  expect(await send("m4")).toMatchObject({ kind: "accepted" });

  await fetch(`${sink.url}/messages`, { method: "DELETE" });
  expect(await json("/counts")).toEqual({ accepted: 0, distinct: 0, once: 0, doubles: {} });
  expect(await sink.stop()).toBe(0);
});
