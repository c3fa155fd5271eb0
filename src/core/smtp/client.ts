import { systemClock } from "../clock.ts";
import { SmtpConnection } from "./connection.ts";
import { signDkim } from "./dkim.ts";
import type { SmtpOptions } from "./options.ts";
import type { SmtpOutcome, SmtpProbeOutcome } from "./outcome.ts";
import { ConnectionPool } from "./pool.ts";
import { SendRate } from "./send-rate.ts";
import { serverDown } from "./server-down.ts";
import type { SentMessage, SmtpMessage, SmtpSendOptions } from "./transmission.ts";

const idleMsMax = 20_000; // shorter than servers and firewalls keep silent connections

/** Sends messages to one server over kept-open connections. */
export interface SmtpClient extends AsyncDisposable {
  /**
   * Hands over one message; never throws for what the server or the network does. Waits for a free
   * connection, and for its turn where the rate is limited. A kept-open connection that turns out dead or used up
   * before MAIL FROM is accepted is replaced once by a fresh one, silently. An aborted signal: `withheld`, unless the content has ended.
   */
  send(message: SmtpMessage, options: SmtpSendOptions): Promise<SmtpOutcome>;
  /** Mails a second that go out at most now (see `SendRate`); undefined: no limit. */
  readonly perSecond: number | undefined;
  /** Opens a fresh connection, logs in, and keeps it for the next message. */
  probe(signal?: AbortSignal): Promise<SmtpProbeOutcome>;
  /** Waits for messages on their way, then says QUIT on every connection. Idempotent. */
  close(): Promise<void>;
}

export function openSmtpClient(options: SmtpOptions): SmtpClient {
  const pool = new ConnectionPool({
    connections: options.connections,
    idleMsMax: options.idleMsMax ?? idleMsMax,
  });
  const rate = new SendRate(options, systemClock);
  const client: SmtpClient = {
    send: async (message, sendOptions) => {
      if (!(await pool.takeSlot(sendOptions.signal))) return { kind: "withheld" };
      if (!(await rate.take(sendOptions.signal))) {
        pool.giveBack(undefined);
        return { kind: "withheld" };
      }
      return rate.note(await sendInSlot(pool, options, message, sendOptions));
    },
    get perSecond() {
      return rate.perSecond;
    },
    probe: async (signal) => {
      const free = await pool.takeSlot(signal);
      const outcome = free
        ? await probeInSlot(pool, options, signal)
        : { kind: "withheld" as const };
      return outcome.kind === "withheld"
        ? serverDown("timeout", options, "the probe was given up")
        : outcome;
    },
    close: () => pool.close(),
    [Symbol.asyncDispose]: () => pool.close(),
  };
  return client;
}

async function sendInSlot(
  pool: ConnectionPool,
  options: SmtpOptions,
  unsigned: SmtpMessage,
  sendOptions: SmtpSendOptions,
): Promise<SmtpOutcome> {
  let connection: SmtpConnection | undefined;
  try {
    const message = await signed(unsigned, options);
    connection = pool.takeIdle();
    if (connection !== undefined) {
      const sent = await connection.send(message, sendOptions);
      if (!isStale(sent)) return sent.outcome;
    }
    await pool.makeRoom();
    const opened = await SmtpConnection.open(options, sendOptions.signal);
    if (!(opened instanceof SmtpConnection)) return opened;
    connection = opened;
    const sent = await connection.send(message, sendOptions);
    return sent.outcome;
  } finally {
    pool.giveBack(connection);
  }
}

async function signed(message: SmtpMessage, { dkim }: SmtpOptions): Promise<SmtpMessage> {
  if (dkim === undefined) return message;
  return { ...message, content: await signDkim(message.content, dkim) };
}

/** A 4xx at once ends a kept-open connection; a fresh one tells whether it is meant for everybody. */
function isStale({ outcome, begun }: SentMessage): boolean {
  return !begun && outcome.kind !== "accepted" && outcome.kind !== "withheld";
}

async function probeInSlot(
  pool: ConnectionPool,
  options: SmtpOptions,
  signal: AbortSignal | undefined,
): Promise<SmtpProbeOutcome | { readonly kind: "withheld" }> {
  await pool.makeRoom();
  const opened = await SmtpConnection.open(options, signal);
  const connection = opened instanceof SmtpConnection ? opened : undefined;
  pool.giveBack(connection);
  return opened instanceof SmtpConnection ? { kind: "up", host: options.host } : opened;
}
