import type { Admin } from "kafkajs";
import { systemClock, withDeadline } from "../../../core/time.ts";
import type { KafkaClient } from "./client.ts";
import { classifyKafkaError, isSettling } from "./errors.ts";

const callDeadlineMs = 15_000;
const disconnectDeadlineMs = 5_000;
const settlingEveryMs = 100;
const settlingTriesMax = 50;

/**
 * The administrative connection, opened by its first use. It is closed after a failed call (a
 * deleted topic breaks all later calls of a kafkajs admin); if it had worked before, the call is
 * retried once on a new one. While a group or a partition has no broker, a call is retried for up
 * to 5 s.
 */
export class AdminSession {
  readonly #client: KafkaClient;
  #admin: Promise<Admin> | undefined;
  #closed = false;

  constructor(client: KafkaClient) {
    this.#client = client;
  }

  /**
   * `name` describes the call and `asked` its subject, for errors. Throws as `classifyKafkaError`
   * does, within 30 s.
   */
  async call<T>(
    name: string,
    use: (admin: Admin) => Promise<T>,
    asked?: { readonly topic: string },
  ): Promise<T> {
    const served = this.#admin !== undefined;
    try {
      return await this.#callOnce(name, use);
    } catch (error) {
      void this.#giveUp();
      if (!served || this.#closed) throw classifyKafkaError(error, asked);
    }
    try {
      return await this.#callOnce(name, use);
    } catch (error) {
      void this.#giveUp();
      throw classifyKafkaError(error, asked);
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#giveUp();
  }

  async #callOnce<T>(name: string, use: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= this.#open();
    return await withDeadline(name, callDeadlineMs, this.#admin.then(whenSettled(use)));
  }

  async #open(): Promise<Admin> {
    const admin = this.#client.admin();
    await admin.connect();
    return admin;
  }

  async #giveUp(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    if (admin === undefined) return;
    const disconnected = admin.then((opened) => opened.disconnect());
    await withDeadline("disconnecting an admin", disconnectDeadlineMs, disconnected).catch(
      () => {},
    );
  }
}

function whenSettled<T>(use: (admin: Admin) => Promise<T>): (admin: Admin) => Promise<T> {
  return async (admin) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await use(admin);
      } catch (error) {
        if (!isSettling(error) || tries >= settlingTriesMax) throw error;
      }
      await systemClock.sleep(settlingEveryMs);
    }
  };
}
