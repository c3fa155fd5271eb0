import net from "node:net";
import type { Mailer, SendOptions, SendOutcome } from "../../src/email/mailer/mailer.ts";
import type { SmtpMailerOptions } from "../../src/email/mailer/smtp/smtp.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import type { SmtpSink, SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";

/** A mailer and the sink it talks to, over one connection unless told otherwise. */
export interface SmtpRig extends AsyncDisposable {
  readonly sink: SmtpSink;
  readonly mailer: Mailer;
  /** Sends a message with `id` in its Message-ID. */
  send(id: string, options?: Partial<SendOptions> & { to?: string }): Promise<SendOutcome>;
}

/** For a test whose fact is a timeout; the others must not fail on a busy machine. */
export const quickTimeouts = { greetingTimeoutMs: 200, replyTimeoutMs: 200 } as const;

export async function openSmtpRig(
  options: Partial<SmtpMailerOptions> = {},
  sinkOptions: SmtpSinkOptions = {},
): Promise<SmtpRig> {
  const sink = await openSmtpSink(sinkOptions);
  const mailer = openSmtpMailer({
    host: "127.0.0.1",
    port: sink.port,
    tls: "none",
    connections: 1,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    from: "noreply@example.com",
    ...options,
  });
  return {
    sink,
    mailer,
    send: (messageId, { to = "ana@example.com", ...sendOptions } = {}) =>
      mailer.send(
        { messageId, to, subject: "Hello", text: "Hello.\n", html: "<p>Hello.</p>\n" },
        { beforeContentEnds: async () => true, ...sendOptions },
      ),
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      await sink.close();
    },
  };
}

/**
 * A port where connecting hangs for ever: its owner sleeps, and the queue of connections it should
 * accept is full (about 510 of them), so the next one gets no answer.
 */
export async function openFullBacklog(): Promise<AsyncDisposable & { readonly port: number }> {
  const program = `const server = require("node:net").createServer(() => {});
    server.listen({ port: 0, host: "127.0.0.1" }, () => console.log(server.address().port));`;
  const owner = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  const { value } = await owner.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  process.kill(owner.pid, "SIGSTOP");
  const sockets: net.Socket[] = [];
  const connects = () =>
    new Promise<boolean>((resolve) => {
      const socket = net.connect({ port, host: "127.0.0.1" }, () => resolve(true));
      socket.on("error", () => resolve(false));
      sockets.push(socket);
      setTimeout(() => resolve(false), 200);
    });
  while (await connects()) {
    if (sockets.length > 5_000) throw new Error("the queue of connections does not fill up");
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      owner.kill("SIGKILL");
      await owner.exited;
    },
  };
}
