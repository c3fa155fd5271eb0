import type { HttpAnswer } from "./http-connection.ts";
import { HttpConnection } from "./http-connection.ts";

/**
 * Requests whose answers nobody waits for: each goes out at once, on a connection that is free or a
 * new one.
 */
export class OpenHttpLoad implements AsyncDisposable {
  readonly host: string;
  readonly #url: URL;
  readonly #all: HttpConnection[] = [];
  readonly #free: HttpConnection[] = [];
  #refused: Error | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
    this.host = this.#url.host;
  }

  send(request: string): void {
    const connection = this.#free.pop();
    if (connection !== undefined) connection.send(request);
    else void this.#open(request);
  }

  /** The first answer that was not 200. */
  throwIfRefused(): void {
    if (this.#refused !== undefined) throw this.#refused;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#all) connection.close();
  }

  async #open(request: string): Promise<void> {
    try {
      const onAnswer = (answer: HttpAnswer, from: HttpConnection) => this.#take(answer, from);
      const connection = await HttpConnection.open(this.#url, onAnswer);
      this.#all.push(connection);
      connection.send(request);
    } catch (error) {
      this.#refused ??= error as Error;
    }
  }

  #take({ status, body }: HttpAnswer, from: HttpConnection): void {
    if (status === 200) this.#free.push(from);
    else this.#refused ??= new Error(`answered ${status}: ${body.slice(0, 500)}`);
  }
}
