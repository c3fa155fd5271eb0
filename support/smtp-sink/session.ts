import type { AcceptedMessages } from "./accepted.ts";
import { messageIdOf } from "./accepted.ts";
import type { SinkBehaviour, SinkStage, SinkWire } from "./behaviour.ts";
import { Answers } from "./behaviour.ts";

export interface SinkAuth {
  readonly user: string;
  readonly password: string;
  /** As announced (default "PLAIN LOGIN"). */
  readonly mechanisms?: string;
}

/** Its line in the answer to EHLO, if any. */
function announcedLogin(auth: SinkAuth | undefined): readonly string[] {
  return auth === undefined ? [] : [`AUTH ${auth.mechanisms ?? "PLAIN LOGIN"}`];
}

/** The credentials of one AUTH exchange, PLAIN (RFC 4616) or LOGIN, as the lines come in. */
class Login {
  readonly #mechanism: "PLAIN" | "LOGIN";
  #answers: string[] = [];

  constructor(mechanism: "PLAIN" | "LOGIN") {
    this.#mechanism = mechanism;
  }

  /** The challenge for the next line. */
  get prompt(): string {
    if (this.#mechanism === "PLAIN") return "334 ";
    return this.#answers.length === 0 ? "334 VXNlcm5hbWU6" : "334 UGFzc3dvcmQ6";
  }

  read(line: string): void {
    const decoded = Buffer.from(line, "base64").toString();
    if (this.#mechanism === "PLAIN") this.#answers = decoded.split("\0").slice(1);
    else this.#answers.push(decoded);
  }

  get complete(): boolean {
    return this.#answers.length > 0 && (this.#mechanism === "PLAIN" || this.#answers.length === 2);
  }

  is(credentials: { readonly user: string; readonly password: string }): boolean {
    const [user, password] = this.#answers;
    return user === credentials.user && password === credentials.password;
  }
}

/** The content of one message, from the reply to DATA to the dot (RFC 5321, 4.5.2). */
class ContentReader {
  #bytes = "";
  #searchedTo = 0;

  /** What came so far, dots still stuffed. */
  get soFar(): string {
    return this.#bytes;
  }

  push(bytes: string): void {
    this.#bytes += bytes;
  }

  /** The whole content, dots unstuffed, and what came behind the dot; undefined before the dot. */
  take(): { readonly content: string; readonly rest: string } | undefined {
    if (this.#bytes.startsWith(".\r\n")) return { content: "", rest: this.#bytes.slice(3) };
    const end = this.#bytes.indexOf("\r\n.\r\n", Math.max(0, this.#searchedTo - 4));
    if (end < 0) {
      this.#searchedTo = this.#bytes.length;
      return undefined;
    }
    const content = this.#bytes.slice(0, end + 2).replace(/(^|\r\n)\.\./g, "$1.");
    return { content, rest: this.#bytes.slice(end + 5) };
  }
}

export interface SessionSettings {
  readonly behaviour: SinkBehaviour;
  readonly accepted: AcceptedMessages;
  /** Set: a client must log in before MAIL FROM. */
  readonly auth: SinkAuth | undefined;
  /** Announced after EHLO, besides AUTH and STARTTLS. */
  readonly extensions: readonly string[];
  readonly onStage: (stage: SinkStage) => void;
  readonly onRead?: ((bytes: string) => void) | undefined;
  /** Forgets what was read behind a dot, against RFC 2920. */
  readonly forgetsBehindDot?: boolean | undefined;
}

export interface SessionWire extends SinkWire {
  /** Starts the server's side of the handshake; `secured` is called when it is done. */
  startTls?(): void;
}

/**
 * One SMTP session of the sink (RFC 5321, PIPELINING of RFC 2920, AUTH of RFC 4954).
 *
 * Commands: lines are answered one by one; the answers to a pipelined batch leave in one write.
 * Credentials: the next line belongs to AUTH. Content: bytes are kept until the dot.
 */
export class Session {
  readonly #settings: SessionSettings;
  readonly #wire: SessionWire;
  readonly #answers: Answers;
  #input = "";
  #reader: ContentReader | undefined;
  #readsCredentials = false;
  #secure = false;
  #login: Login | undefined;
  #from: string | undefined;
  #recipients: string[] = [];

  constructor(settings: SessionSettings, wire: SessionWire) {
    this.#settings = settings;
    this.#wire = wire;
    this.#answers = new Answers(wire, settings.behaviour, {
      onStage: settings.onStage,
      resume: () => this.#run(),
    });
  }

  greet(): void {
    this.#answers.take({ stage: "connect", reply: "220 sink.test ESMTP" });
    this.#answers.flush();
  }

  /** The handshake is done: the client starts anew (RFC 3207, 4.2). */
  secured(): void {
    this.#secure = true;
    this.#input = "";
  }

  receive(bytes: string): void {
    this.#settings.onRead?.(bytes);
    if (this.#answers.stuck) return;
    this.#input += bytes;
    this.#run();
  }

  #run(): void {
    while (this.#answers.ready && this.#step());
    this.#answers.flush();
  }

  /** Handles one line, or one content; false: more input is needed. */
  #step(): boolean {
    if (this.#reader !== undefined) return this.#readContent(this.#reader);
    const end = this.#input.indexOf("\r\n");
    if (end < 0) return false;
    const line = this.#input.slice(0, end);
    this.#input = this.#input.slice(end + 2);
    if (this.#readsCredentials) this.#readCredential(line);
    else this.#command(line);
    return true;
  }

  #command(line: string): void {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === "MAIL") this.#mail(line);
    else if (verb === "RCPT") this.#rcpt(line);
    else if (verb === "DATA") this.#data();
    else if (verb === "EHLO" || verb === "HELO") this.#ehlo(verb === "EHLO");
    else if (verb === "STAR") this.#startTls();
    else if (verb === "AUTH") this.#startLogin(line);
    else if (verb === "QUIT") this.#quit();
    else if (verb === "RSET" || verb === "NOOP") {
      if (verb === "RSET") this.#endTransaction();
      this.#answers.say("250 2.0.0 Ok");
    } else this.#answers.say("502 5.5.2 Command not recognized");
  }

  #ehlo(extended: boolean): void {
    this.#endTransaction();
    const lines = ["sink.test"];
    if (extended) {
      lines.push(...this.#settings.extensions);
      if (this.#offersStartTls) lines.push("STARTTLS");
      lines.push(...announcedLogin(this.#settings.auth));
    }
    const last = lines.length - 1;
    const reply = lines.map((text, index) => `250${index < last ? "-" : " "}${text}`).join("\r\n");
    this.#answers.take({ stage: "ehlo", reply });
  }

  get #offersStartTls(): boolean {
    return this.#wire.startTls !== undefined && !this.#secure;
  }

  #startTls(): void {
    if (!this.#offersStartTls) {
      this.#answers.say("502 5.5.1 STARTTLS is not offered");
      return;
    }
    const accept = () => {
      this.#answers.say("220 2.0.0 Ready to start TLS");
      this.#answers.flush();
      this.#wire.startTls?.();
    };
    this.#answers.take({ stage: "starttls", reply: undefined, accept });
  }

  #startLogin(line: string): void {
    const [, mechanism = "", initial] = line.split(" ");
    this.#login = new Login(mechanism.toUpperCase() === "LOGIN" ? "LOGIN" : "PLAIN");
    this.#readsCredentials = true;
    if (initial === undefined) this.#answers.say(this.#login.prompt);
    else this.#readCredential(initial);
  }

  #readCredential(line: string): void {
    this.#login?.read(line);
    if (this.#login?.complete !== true) {
      this.#answers.say(this.#login?.prompt ?? "");
      return;
    }
    this.#readsCredentials = false;
    const reply = this.#loggedIn
      ? "235 2.7.0 Authentication successful"
      : "535 5.7.8 Authentication credentials invalid";
    this.#answers.take({ stage: "auth", reply });
  }

  get #loggedIn(): boolean {
    return this.#settings.auth === undefined || this.#login?.is(this.#settings.auth) === true;
  }

  #mail(line: string): void {
    if (!this.#loggedIn) {
      this.#answers.say("530 5.7.0 Authentication required");
      return;
    }
    if (this.#from !== undefined) {
      this.#answers.say("503 5.5.1 Nested MAIL command");
      return;
    }
    const accept = () => {
      this.#from = pathOf(line);
    };
    this.#answers.take({ stage: "mail", reply: "250 2.1.0 Ok", accept });
  }

  #rcpt(line: string): void {
    if (this.#from === undefined) {
      this.#answers.say("503 5.5.1 Need MAIL command");
      return;
    }
    const recipient = pathOf(line);
    const accept = () => void this.#recipients.push(recipient);
    const recipients = [recipient];
    this.#answers.take({ stage: "rcpt", reply: "250 2.1.5 Ok", accept, recipients });
  }

  #data(): void {
    if (this.#recipients.length === 0) {
      this.#answers.say("503 5.5.1 Need RCPT command");
      return;
    }
    const accept = () => {
      this.#reader = new ContentReader();
    };
    const reply = "354 End data with <CR><LF>.<CR><LF>";
    this.#answers.take({ stage: "data", reply, accept, recipients: this.#recipients });
  }

  #readContent(reader: ContentReader): boolean {
    const first = reader.soFar === "";
    reader.push(this.#input);
    this.#input = "";
    if (first && reader.soFar !== "") {
      const messageId = messageIdOf(reader.soFar);
      const recipients = this.#recipients;
      this.#answers.take({ stage: "content", reply: undefined, recipients, messageId });
      return true;
    }
    const taken = reader.take();
    if (taken === undefined) return false;
    this.#input = this.#settings.forgetsBehindDot === true ? "" : taken.rest;
    this.#reader = undefined;
    this.#dot(decode(taken.content));
    return true;
  }

  #dot(data: string): void {
    const { accepted } = this.#settings;
    const messageId = messageIdOf(data) ?? "";
    const [from, recipients] = [this.#from ?? "", this.#recipients];
    this.#endTransaction();
    const accept = () => accepted.add({ messageId, from, to: recipients, data });
    const queueId = (accepted.total + 1).toString(16).toUpperCase().padStart(8, "0");
    const reply = `250 2.0.0 Ok: queued as ${queueId}`;
    this.#answers.take({ stage: "dot", reply, accept, recipients, messageId });
  }

  #quit(): void {
    const accept = () => this.#answers.sayAndEnd("221 2.0.0 Bye\r\n");
    this.#answers.take({ stage: "quit", reply: undefined, accept });
  }

  #endTransaction(): void {
    this.#from = undefined;
    this.#recipients = [];
  }
}

function pathOf(line: string): string {
  return decode(line.slice(line.indexOf("<") + 1, line.indexOf(">")));
}

function decode(latin1: string): string {
  return /[\x80-\xff]/.test(latin1) ? Buffer.from(latin1, "latin1").toString("utf8") : latin1;
}
