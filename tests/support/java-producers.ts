import { join } from "node:path";

/** Kafka's own Java client in a process of its own: several producers, one command at a time. */
export class JavaProducers implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #output: AsyncIterator<Uint8Array>;
  #answers = "";

  constructor(brokers: string) {
    const source = new URL("java/TransactionalClient.java", import.meta.url).pathname;
    const classPath = ["-cp", join(process.env["TEST_KAFKA_LIBS"] ?? "", "*")];
    const command = ["java", "-XX:TieredStopAtLevel=1", ...classPath, source, brokers];
    this.#child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#output = this.#child.stdout[Symbol.asyncIterator]();
  }

  /** As in TransactionalClient.java; each is acknowledged by Kafka when this resolves. */
  async run(...commands: readonly string[]): Promise<void> {
    for (const command of commands) {
      this.#child.stdin.write(`${command}\n`);
      await this.#child.stdin.flush();
      while (!this.#answers.includes("ok\n")) {
        const { done, value } = await this.#output.next();
        if (done) throw new Error(`the Java client ended at: ${command}`);
        this.#answers += new TextDecoder().decode(value);
      }
      this.#answers = "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    this.#child.kill();
    await this.#child.exited;
  }
}
