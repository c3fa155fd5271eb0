import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import RelaxedBody from "nodemailer/lib/dkim/relaxed-body";
import sign from "nodemailer/lib/dkim/sign";
import { encodeWord } from "nodemailer/lib/mime-funcs";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmtpOptions } from "../../src/email/mailer/smtp/config.ts";
import { openSession } from "../../src/email/mailer/smtp/session.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSink, SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";

/*
 * What src/email/mailer/smtp uses of nodemailer beyond its documentation. Each has a test here, so
 * that an upgrade that changes one fails by its name:
 *
 * lib/smtp-connection
 * - `_supportedExtensions`: whether the server offers SMTPUTF8 and PIPELINING (wire.ts)
 * - `_ehloLines`: the limits of a session, RFC 9422 (wire.ts)
 * - `allowsAuth`: whether the server offers a login (session.ts)
 * - `_socket`: after the login we read and write it ourselves, and it has no timeout then (wire.ts);
 *   it has the certificate (session.ts)
 * - `upgrading`: what breaks a TLS handshake is a matter of TLS (session.ts)
 * - `destroyed`, "end", and `close()` with `socketCloseTimeout: 0`: closed means that nothing more
 *   is written, above all no dot (wire.ts)
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

test("without its listener for data, the replies are ours and it still reports the end", async () => {
  await using opened = await open();
  const { session } = opened;
  const socket = session._socket as Socket;
  const listeners = socket.listenerCount("data");
  socket.removeAllListeners("data");
  const replied = once(socket, "data");
  socket.write("RSET\r\n");
  expect([listeners, String(await replied)]).toEqual([1, "250 2.0.0 Ok\r\n"]);
  const ended = once(session, "end");
  opened.sink.dropConnections();
  await ended;
  expect(session.destroyed).toBe(true);
});

const refused = "550 5.1.1 no";
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
