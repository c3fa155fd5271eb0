import net from "node:net";
import type { SmtpOptions } from "../../src/email/mailer/smtp/config.ts";
import type { SmtpOutcome } from "../../src/email/mailer/smtp/outcome.ts";
import type { SmtpClient } from "../../src/email/mailer/smtp/smtp.ts";
import { openSmtpClient } from "../../src/email/mailer/smtp/smtp.ts";
import type { SmtpSendOptions } from "../../src/email/mailer/smtp/transmission.ts";
import type { SmtpSink, SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";

/** A client and the sink it talks to, over one connection unless told otherwise. */
export interface SmtpRig extends AsyncDisposable {
  readonly sink: SmtpSink;
  readonly client: SmtpClient;
  /** Sends a message with `id` in its Message-ID. */
  send(id: string, options?: Partial<SmtpSendOptions> & { to?: string }): Promise<SmtpOutcome>;
}

/** For a test whose fact is a timeout; the others must not fail on a busy machine. */
export const quickTimeouts = { greetingTimeoutMs: 200, replyTimeoutMs: 200 } as const;

export async function openSmtpRig(
  clientOptions: Partial<SmtpOptions> = {},
  sinkOptions: SmtpSinkOptions = {},
): Promise<SmtpRig> {
  const sink = await openSmtpSink(sinkOptions);
  const client = openSmtpClient({
    host: "127.0.0.1",
    port: sink.port,
    tls: "none",
    connections: 1,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    ...clientOptions,
  });
  return {
    sink,
    client,
    send: (id, { to = "ana@example.com", ...options } = {}) =>
      client.send(
        { from: "noreply@example.com", to, content: messageWith(id) },
        { beforeContentEnds: async () => true, ...options },
      ),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await sink.close();
    },
  };
}

export function messageWith(id: string): Buffer {
  return Buffer.from(`Message-ID: <${id}@example.com>\r\nSubject: Hello\r\n\r\nHello.\r\n`);
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
