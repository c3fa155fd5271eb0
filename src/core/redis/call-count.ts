/** How many calls are in flight, for who waits until there is none. */
export class CallCount {
  #inFlight = 0;
  #none: PromiseWithResolvers<void> | undefined;

  begin(): void {
    this.#inFlight += 1;
  }

  end(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#none?.resolve();
  }

  async none(): Promise<void> {
    if (this.#inFlight === 0) return;
    this.#none ??= Promise.withResolvers();
    await this.#none.promise;
  }
}
