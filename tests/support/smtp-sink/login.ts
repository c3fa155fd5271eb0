export interface SinkAuth {
  readonly user: string;
  readonly password: string;
  /** As announced (default "PLAIN LOGIN"). */
  readonly mechanisms?: string;
}

/** Its line in the answer to EHLO, if any. */
export function announcedLogin(auth: SinkAuth | undefined): readonly string[] {
  return auth === undefined ? [] : [`AUTH ${auth.mechanisms ?? "PLAIN LOGIN"}`];
}

/** The credentials of one AUTH exchange, PLAIN (RFC 4616) or LOGIN, as the lines come in. */
export class Login {
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
