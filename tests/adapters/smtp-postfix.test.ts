import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { answersSmtp, choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";

const postconf = findEngine("postfix");
const program = join(dirname(postconf ?? ""), "smtp-sink"); // a second opinion beside our own sink
const missing = postconf === undefined;

async function startPostfixSink(port: number, flags: readonly string[]) {
  const user = process.getuid?.() === 0 ? ["-u", "postfix"] : [];
  const child = Bun.spawn([program, ...user, ...flags, `127.0.0.1:${port}`, "100"], {
    stdout: "ignore",
    stderr: "ignore",
  });
  await eventually("smtp-sink listens", () => answersSmtp({ host: "127.0.0.1", port }));
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function sendMany(port: number, messages: number) {
  const mailer = openSmtpMailer({
    host: "127.0.0.1",
    port,
    tls: "none",
    connections: 4,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    from: "noreply@example.com",
  });
  const send = (index: number) =>
    mailer.send(
      { messageId: `m${index}`, to: "ana@example.com", subject: "Hi", text: ".\n", html: "<p>" },
      { beforeContentEnds: async () => true },
    );
  const sending = Promise.all(Array.from({ length: messages }, (_, index) => send(index)));
  return sending.finally(() => mailer.close());
}

test.skipIf(missing)("Postfix's sink accepts a few hundred mails", async () => {
  const port = await choosePort(0);
  await using _ = await startPostfixSink(port, []);
  const outcomes = await sendMany(port, 300);
  expect(outcomes.every(({ kind }) => kind === "accepted")).toBe(true);
});

const misbehaviours = {
  "-f RCPT": { kind: "refused", code: 500, stage: "recipient" },
  "-r RCPT": { kind: "server_down", cause: "system" }, // 450 4.3.0
  "-q RCPT": { kind: "lost" }, // drops
  "-f .": { kind: "refused", code: 500, stage: "content" },
  "-q .": { kind: "ambiguous" },
} as const;
for (const [flags, outcome] of Object.entries(misbehaviours)) {
  test.skipIf(missing)(`Postfix's sink with ${flags}: ${outcome.kind}`, async () => {
    const port = await choosePort(0);
    await using _ = await startPostfixSink(port, flags.split(" "));
    expect(await sendMany(port, 1)).toMatchObject([outcome]);
  });
}
