import net from "node:net";
import tls, { TLSSocket } from "node:tls";
import type { Diagnosis } from "../../../core/diagnosis.ts";
import { diagnoseExpiry, readExpiry } from "../../../core/diagnosis.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type { ServerDown } from "../mailer.ts";
import { classifySetupFailure } from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import { openSession } from "./session.ts";

const timeoutMs = 3000;
const sessionDeadlineMs = 5000;
/** Our largest mails have some 100 KiB; a lower limit leaves no margin for long data. */
const sizeBytesMin = 512 * 1024;
/** Failures after which it is worth checking what answers on the port. */
const sniffedCauses: readonly ServerDown["cause"][] = ["tls", "timeout", "greeting", "connect"];

/**
 * `instant doctor` for one SMTP server: connects, starts TLS and logs in as for a mail, then sends
 * QUIT. Ends within 8 s, whatever SMTP_*_TIMEOUT say.
 */
export async function diagnoseSmtp(
  options: SmtpOptions,
  diagnosis: Diagnosis,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<void> {
  const replies: string[] = [];
  const quick: SmtpOptions = {
    ...options,
    connectTimeoutMs: Math.min(options.connectTimeoutMs, timeoutMs),
    greetingTimeoutMs: Math.min(options.greetingTimeoutMs, timeoutMs),
    replyTimeoutMs: Math.min(options.replyTimeoutMs, timeoutMs),
    onTranscript: ({ by, text }) => {
      if (by === "server") replies.push(text);
    },
  };
  const startedAt = performance.now();
  try {
    const session = await openSession(quick, AbortSignal.timeout(sessionDeadlineMs));
    try {
      const tookMs = Math.round(performance.now() - startedAt);
      const login = options.user === undefined ? "takes mails without a login" : "took the login";
      diagnosis.ok(
        "smtp.reachable",
        `Answers EHLO ${session.name} within ${tookMs} ms and ${login}`,
      );
      diagnoseTls(options, session._socket, clock, diagnosis);
      diagnoseLimits(readExtensions(replies), diagnosis);
    } finally {
      session.quit();
    }
  } catch (error) {
    const down = classifySetupFailure(error, quick);
    const answer = sniffedCauses.includes(down.cause) ? await sniffPort(options) : undefined;
    const { text, fix } = describeDown(down, options, answer);
    diagnosis.fault(`smtp.${down.cause}`, text, fix);
  }
}

function diagnoseTls(
  { host, tls, user }: SmtpOptions,
  socket: unknown,
  clock: Clock,
  diagnosis: Diagnosis,
): void {
  const expiresAt = socket instanceof TLSSocket ? readExpiry(socket) : undefined;
  if (expiresAt !== undefined) {
    diagnoseExpiry(diagnosis, "smtp.certificate", { expiresAt, whose: host, clock });
  }
  const local = /^(?:localhost|127\.|::1)/.test(host);
  if (tls !== "none" || local) return;
  const what = user === undefined ? "Mails go" : "Mails, and the password, go";
  const fix = "Set SMTP_TLS=starttls (port 587) or implicit (port 465), if the server supports it";
  diagnosis.warn("smtp.tls", `${what} to ${host} in the clear`, fix);
}

/** The lines of the last answer to EHLO: name → value, in upper case. */
function readExtensions(replies: readonly string[]): ReadonlyMap<string, string> {
  const lines = replies.flatMap((text) => /^250[- ]([A-Z0-9-]+)(?:[ =](.*))?$/i.exec(text) ?? []);
  const extensions = new Map<string, string>();
  for (let at = 0; at < lines.length; at += 3) {
    extensions.set((lines[at + 1] ?? "").toUpperCase(), lines[at + 2] ?? "");
  }
  return extensions;
}

function diagnoseLimits(extensions: ReadonlyMap<string, string>, diagnosis: Diagnosis): void {
  const size = Number(extensions.get("SIZE") ?? 0);
  const takes = [
    size > 0 ? `mails up to ${Math.floor(size / 1024)} KiB` : "mails of any size",
    extensions.has("PIPELINING") ? "several commands at once" : "one command at a time",
    extensions.has("SMTPUTF8")
      ? "addresses as jörg@…"
      : "no addresses as jörg@… (those mails are refused)",
  ];
  if (size > 0 && size < sizeBytesMin) {
    const text = `Accepts mails only up to ${Math.floor(size / 1024)} KiB`;
    diagnosis.warn("smtp.limits", text, "Ask its administrator for a SIZE of at least 512 KiB");
  } else {
    diagnosis.ok("smtp.limits", `Accepts ${takes.join(", ")}`);
  }
}

const waitMs = 1000;

/**
 * What answers on a port where no session could be opened: a server that greets with 220, one that
 * expects TLS from the first byte, or something else. Undefined: nothing answers. Within 2 s.
 */
async function sniffPort({
  host,
  port,
}: SmtpOptions): Promise<"smtp" | "tls" | "other" | undefined> {
  const greeting = await readGreeting(net.connect({ host, port }));
  if (greeting !== undefined) return /^220[ -]/.test(greeting) ? "smtp" : "other";
  return (await handshakes(host, port)) ? "tls" : undefined;
}

function readGreeting(socket: net.Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const finish = (greeting: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(greeting);
    };
    const timer = setTimeout(() => finish(undefined), waitMs);
    socket.once("data", (bytes: Buffer) => finish(bytes.toString("latin1")));
    socket.on("error", () => finish(undefined));
    socket.once("close", () => finish(undefined));
  });
}

function handshakes(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    // Nothing is sent over it, so the certificate does not matter.
    const socket = tls.connect({ host, port, ...name, rejectUnauthorized: false });
    const finish = (done: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(done);
    };
    const timer = setTimeout(() => finish(false), waitMs);
    socket.once("secureConnect", () => finish(true));
    socket.on("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}

function describeDown(
  { reason, cause }: ServerDown,
  { port, tls }: SmtpOptions,
  answer: Awaited<ReturnType<typeof sniffPort>>,
): { readonly text: string; readonly fix: string } {
  // One sentence: what failed, its detail in brackets, and after "): " the fix (`classify.ts`).
  const end = reason.indexOf("): ");
  const text = end === -1 ? reason : reason.slice(0, end + 1);
  const usual = end === -1 ? "Check the server's log" : capitalise(reason.slice(end + 3));
  if (cause === "certificate" && /expired/i.test(text)) {
    return { text, fix: "Renew the certificate of the mail server" };
  }
  if (answer === "tls" && tls !== "implicit") {
    const fix = "Set SMTP_TLS=implicit, or use a port without implicit TLS (587 for starttls)";
    return { text: `Port ${port} speaks TLS from the first byte, and SMTP_TLS is ${tls}`, fix };
  }
  if (answer === "smtp" && tls === "implicit") {
    const fix = "Set SMTP_TLS=starttls, or use the port for implicit (465)";
    return { text: `Port ${port} speaks plain SMTP first, and SMTP_TLS is implicit`, fix };
  }
  if (answer === "other") {
    return { text: `What answers on port ${port} is not a mail server`, fix: "Check SMTP_PORT" };
  }
  return { text, fix: usual };
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
