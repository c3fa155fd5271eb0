import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { temporaryDirectory } from "../temporary-directory.ts";
import type { SessionSettings, SessionWire } from "./session.ts";
import { Session } from "./session.ts";

export interface SinkTls {
  /** "starttls" is offered after EHLO; "implicit" starts with the handshake. */
  readonly mode: "starttls" | "implicit";
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface SinkSessions {
  /** Connections accepted so far. */
  opened: number;
  /** Open now (not ended by QUIT or a rule), and the most at the same time. */
  open: number;
  openMax: number;
}

/**
 * The sink's listening socket and its connections.
 *
 * Listening: connections become sessions. Refusing: nobody listens on the port, the connections
 * are gone; `listen` opens the same port again.
 */
export class SinkListener {
  readonly sessions: SinkSessions = { opened: 0, open: 0, openMax: 0 };
  readonly #host: string;
  readonly #tls: SinkTls | undefined;
  readonly #settings: SessionSettings;
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  #port: number;

  constructor(
    address: { readonly host: string; readonly port: number },
    tlsSettings: SinkTls | undefined,
    settings: SessionSettings,
  ) {
    this.#host = address.host;
    this.#port = address.port;
    this.#tls = tlsSettings;
    this.#settings = settings;
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server =
      this.#tls?.mode === "implicit"
        ? tls.createServer({ key: this.#tls.key, cert: this.#tls.cert }, (s) => this.#serve(s))
        : net.createServer((socket) => this.#serve(socket));
    server.on("tlsClientError", () => {}); // a client that distrusts us is what some tests want
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.#host, port: this.#port }, resolve);
    });
    const address = server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }

  /** Destroys every connection; the next ones are accepted. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.dropConnections();
    await closed;
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.sessions.opened += 1;
    this.sessions.open += 1;
    this.sessions.openMax = Math.max(this.sessions.openMax, this.sessions.open);
    let open = true;
    const onEnded = () => {
      if (open) this.sessions.open -= 1;
      open = false;
    };
    socket.once("close", () => {
      this.#sockets.delete(socket);
      onEnded();
    });
    new Connection(socket, this.#tls, this.#settings, onEnded).greet();
  }
}

/** Joins a socket, before and after STARTTLS, to a session. */
class Connection {
  readonly #session: Session;
  #socket: net.Socket;

  constructor(
    socket: net.Socket,
    tlsSettings: SinkTls | undefined,
    settings: SessionSettings,
    onEnded: () => void,
  ) {
    this.#socket = socket;
    const wire: SessionWire = {
      write: (bytes) => this.#socket.write(bytes, "latin1"),
      end: () => {
        onEnded();
        this.#socket.end();
      },
      destroy: () => this.#socket.destroy(),
      ...(tlsSettings?.mode === "starttls" ? { startTls: () => this.#startTls(tlsSettings) } : {}),
    };
    this.#session = new Session(settings, wire);
    this.#attach();
  }

  greet(): void {
    this.#session.greet();
  }

  #attach(): void {
    this.#socket.setNoDelay(true);
    this.#socket.on("error", () => {}); // a client that goes away is not the sink's failure
    this.#socket.on("data", (bytes: Buffer) => this.#session.receive(bytes.toString("latin1")));
  }

  #startTls({ key, cert }: SinkTls): void {
    const plain = this.#socket;
    plain.removeAllListeners("data");
    this.#socket = new tls.TLSSocket(plain, { isServer: true, key, cert });
    this.#session.secured();
    this.#attach();
  }
}

interface ServerCertificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface TestCertificates {
  /** The authority that signed all of them, PEM. */
  readonly authority: string;
  /** For localhost and 127.0.0.1. */
  readonly good: ServerCertificate;
  /** For another name. */
  readonly otherName: ServerCertificate;
  /** For localhost, but its time is over. */
  readonly expired: ServerCertificate;
}

let made: TestCertificates | undefined;

/** Makes a private authority and its certificates with the openssl program, once per process. */
export function testCertificates(): TestCertificates {
  made ??= makeCertificates();
  return made;
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function makeCertificates(): TestCertificates {
  using directory = temporaryDirectory();
  const file = (name: string) => join(directory.path, name);
  const read = (name: string) => readFileSync(file(name), "utf8");
  const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: "pipe" });
  const authority = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-days", "2"];
  openssl("req", "-x509", ...curve, ...authority, "-subj", "/CN=Test authority");
  const sign = (name: string, names: string, days: number): ServerCertificate => {
    const [key, request, cert] = [`${name}.key`, `${name}.csr`, `${name}.pem`];
    writeFileSync(file("names"), `subjectAltName=${names}\n`);
    openssl("req", ...curve, "-keyout", file(key), "-out", file(request), "-subj", `/CN=${name}`);
    const issuer = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"];
    const wanted = ["-days", String(days), "-extfile", file("names"), "-out", file(cert)];
    openssl("x509", "-req", "-in", file(request), ...issuer, ...wanted);
    return { key: read(key), cert: read(cert) };
  };
  return {
    authority: read("ca.pem"),
    good: sign("good", "DNS:localhost,IP:127.0.0.1", 2),
    otherName: sign("other", "DNS:other.example.com", 2),
    expired: sign("expired", "DNS:localhost,IP:127.0.0.1", -1),
  };
}
