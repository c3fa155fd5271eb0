import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { TLSSocket } from "node:tls";
import RelaxedBody from "nodemailer/lib/dkim/relaxed-body";
import sign from "nodemailer/lib/dkim/sign";
import { encodeWord } from "nodemailer/lib/mime-funcs";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmtpOptions } from "../../src/email/mailer/smtp/config.ts";
import { openSession } from "../../src/email/mailer/smtp/connection.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSink, SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";

/*
 * What src/email/mailer/smtp uses of nodemailer beyond its documentation. Each has a test here, so
 * that an upgrade that changes one fails by its name:
 *
 * lib/smtp-connection
 * - `_supportedExtensions`: whether the server offers SMTPUTF8 (connection.ts)
 * - `_ehloLines`: the limits of a session, RFC 9422 (connection.ts)
 * - `allowsAuth`: whether the server offers a login (connection.ts)
 * - `_socket`: content and dot are written to it (transmission.ts), it has the certificate, and no
 *   timeout while idle (connection.ts)
 * - `upgrading`: what breaks a TLS handshake is a matter of TLS (connection.ts)
 * - `destroyed`, "end", and `close()` with `socketCloseTimeout: 0`: closed means that nothing more
 *   is written, above all no dot (transmission.ts, pool.ts)
 * - `lastServerResponse`: whether a reply came since it was set to false (transmission.ts)
 * - `send()` with an object that only has `pipe`: we write the content ourselves (transmission.ts)
 * - `command` and `response` of its errors: which reply refused what (classify.ts)
 * - `tnx` of its log: who said a line (transcript.ts)
 * lib/dkim/sign, `relaxedHeaders`, and lib/dkim/relaxed-body: the canonical forms (dkim.ts)
 * lib/mime-funcs, `encodeWord`: subject and names (mime.ts)
 */

async function open(options: Partial<SmtpOptions> = {}, sinkOptions: SmtpSinkOptions = {}) {
  const sink = await openSmtpSink(sinkOptions);
  const session = await openOn(sink, options);
  return {
    sink,
    session,
    [Symbol.asyncDispose]: async () => {
      session.close();
      await sink.close();
    },
  };
}

function openOn(sink: SmtpSink, options: Partial<SmtpOptions> = {}): Promise<SMTPConnection> {
  return openSession({
    host: "127.0.0.1",
    port: sink.port,
    tls: "none",
    connections: 1,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    ...options,
  });
}

const certificates = testCertificates();
const startTls = { mode: "starttls", ...certificates.good } as const;
const overTls = { tls: "starttls", ca: certificates.authority } as const;
/** Anew for each message: nodemailer writes into it. */
const envelope = () => ({ from: "noreply@example.com", to: "ana@example.com" });

test("_supportedExtensions and _ehloLines have what the server answered to EHLO", async () => {
  await using offering = await open({}, { extensions: ["SMTPUTF8", "LIMITS MAILMAX=2"] });
  await using without = await open({}, { extensions: [] });
  expect(Reflect.get(offering.session, "_supportedExtensions")).toEqual(["SMTPUTF8"]);
  expect(Reflect.get(offering.session, "_ehloLines")).toContain("LIMITS MAILMAX=2");
  expect(Reflect.get(without.session, "_supportedExtensions")).toEqual([]);
});

test("_ehloLines and _supportedExtensions are those after STARTTLS", async () => {
  await using opened = await open(overTls, { tls: startTls, extensions: ["LIMITS MAILMAX=2"] });
  expect(Reflect.get(opened.session, "_ehloLines")).toContain("LIMITS MAILMAX=2");
  expect(Reflect.get(opened.session, "_ehloLines")).not.toContain("STARTTLS");
});

test("allowsAuth says whether the server offers a login", async () => {
  await using offering = await open({}, { auth: { user: "mailer", password: "se-cr-et" } });
  await using without = await open();
  expect([offering.session.allowsAuth, without.session.allowsAuth]).toEqual([true, false]);
});

test("_socket is what the session is written to, with TLS around it where there is TLS", async () => {
  await using plain = await open();
  await using secure = await open(overTls, { tls: startTls });
  expect(plain.session._socket).toMatchObject({ remotePort: plain.sink.port });
  expect(plain.session._socket).not.toBeInstanceOf(TLSSocket);
  expect(secure.session._socket).toBeInstanceOf(TLSSocket);
});

test("upgrading is true when a TLS handshake fails, and not when TLS is up", async () => {
  await using secure = await open(overTls, { tls: startTls });
  expect(secure.session.upgrading).toBe(false);
  await using sink = await openSmtpSink({ tls: startTls });
  sink.misbehave({ at: "starttls", does: { kind: "raw", bytes: "220 Go\r\n", close: true } });
  const failed = openOn(sink, overTls);
  await expect(failed).rejects.toHaveProperty("originalCode"); // which openSession adds then
});

test("close destroys the socket at once, destroyed is true, and end is emitted", async () => {
  await using opened = await open();
  const { session } = opened;
  const { _socket: socket, destroyed } = session;
  const ended = once(session, "end");
  session.close();
  expect([destroyed, session.destroyed]).toEqual([false, true]);
  expect(socket).toMatchObject({ destroyed: true });
  await ended;
});

test("end is emitted when the server closes", async () => {
  await using opened = await open();
  const ended = once(opened.session, "end");
  opened.sink.dropConnections();
  await ended;
  expect(opened.session.destroyed).toBe(true);
});

test("lastServerResponse stays false until the next reply, which it is then", async () => {
  await using opened = await open();
  const { session } = opened;
  session.lastServerResponse = false;
  const reset = new Promise((resolve) => session.reset(resolve));
  expect(session.lastServerResponse).toBe(false);
  await reset;
  expect(String(session.lastServerResponse)).toStartWith("250");
});

test("send reads on and pipe of the content, and writes none of it once it is unpiped", async () => {
  await using opened = await open();
  const { session, sink } = opened;
  const read: PropertyKey[] = [];
  const content = new Proxy(
    {
      pipe: (target: Readable) => {
        target.unpipe();
        if (session._socket) session._socket.write("Message-ID: <m1@x>\r\n\r\nHello.\r\n.\r\n");
      },
    },
    {
      get: (target, name) => {
        read.push(name);
        return Reflect.get(target, name);
      },
    },
  );
  const { promise, resolve } = Promise.withResolvers<unknown>();
  session.send(envelope(), content as unknown as Readable, (error, info) => resolve(error ?? info));
  expect(await promise).toMatchObject({ response: expect.stringMatching(/^250 /) });
  expect([...new Set(read)].toSorted()).toEqual(["on", "pipe"]);
  expect(sink.accepted.map(({ data }) => data)).toEqual(["Message-ID: <m1@x>\r\n\r\nHello.\r\n"]);
});

const refused = "550 5.1.1 no";
test.each([
  ["mail", "MAIL FROM"],
  ["rcpt", "RCPT TO"],
  ["data", "DATA"],
] as const)("an error at %s has the reply, and the command %s", async (at, command) => {
  await using opened = await open({}, { extensions: [] });
  opened.sink.misbehave({ at, does: { kind: "reply", text: refused } });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  opened.session.send(envelope(), Buffer.from("x"), resolve);
  expect(await promise).toMatchObject({ command, response: refused });
});

test("an error of a closed connection answers the command CONN", async () => {
  await using opened = await open({}, { extensions: [] });
  opened.sink.misbehave({ at: "mail", does: { kind: "raw", bytes: "550 5.1", close: true } });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  opened.session.send(envelope(), Buffer.from("x"), resolve);
  expect(await promise).toMatchObject({ command: "CONN" });
});

test("errors before the session is ready name EHLO, STARTTLS and AUTH", async () => {
  const auth = { user: "mailer", password: "se-cr-et" };
  const rows = [
    ["ehlo", /^(?:EHLO|HELO)$/, {}, {}],
    ["starttls", /^STARTTLS$/, overTls, { tls: startTls }],
    ["auth", /^AUTH /, auth, { auth }],
  ] as const;
  for (const [at, command, options, sinkOptions] of rows) {
    await using sink = await openSmtpSink(sinkOptions);
    sink.misbehave({ at, does: { kind: "reply", text: refused } });
    const error: unknown = await openOn(sink, options).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ command: expect.stringMatching(command) });
  }
});

test("the log has each line of the session, and tnx says who sent it", async () => {
  const talk: string[] = [];
  const onTranscript = ({ by, text }: { readonly by: string; readonly text: string }) =>
    void talk.push(`${by} ${text.slice(0, 4)}`);
  await using _ = await open({ onTranscript }, { extensions: ["PIPELINING"] });
  expect(talk).toEqual(expect.arrayContaining(["server 220 ", "client EHLO", "server 250 "]));
});

/** The example of RFC 6376, 3.4.5. */
test("relaxedHeaders and RelaxedBody give the canonical forms of DKIM", () => {
  const fields = [
    { key: "a", line: "A: X" },
    { key: "b", line: "B : Y\t\r\n\tZ  " },
    { key: "c", line: "C: not asked for" },
  ];
  expect(sign.relaxedHeaders(fields, "A:B:Absent")).toEqual({
    headers: "a:X\r\nb:Y Z\r\n",
    fieldNames: "a:b",
  });
  const body = new RelaxedBody({ hashAlgo: "sha256" });
  body.updateHash(Buffer.from(" C \r\nD \t E\r\n\r\n\r\n"), true);
  const canonical = createHash("sha256").update(" C\r\nD E\r\n").digest("base64");
  expect(body.bodyHash.digest("base64")).toBe(canonical);
});

test("encodeWord writes words of RFC 2047 within the length that it is given", () => {
  const words = encodeWord("Grüße ".repeat(20).trim(), "Q", 52).split(" ");
  expect(words.length).toBeGreaterThan(1);
  for (const word of words) expect(word).toMatch(/^=\?UTF-8\?Q\?[\x21-\x7e]{1,62}\?=$/);
  expect(encodeWord("Grüße", "Q", 52)).toBe("=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=");
});
