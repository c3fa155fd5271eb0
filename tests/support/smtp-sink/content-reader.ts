/** The content of one message, from the reply to DATA to the dot (RFC 5321, 4.5.2). */
export class ContentReader {
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
