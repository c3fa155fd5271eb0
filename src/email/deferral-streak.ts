const deferralsMax = 10;

/**
 * Tells a server that defers everybody from one that defers somebody: 10 deferrals in a row, of at
 * least two recipients, and none accepted between them.
 *
 * When all of them are at one domain it may be that domain, which greylists or is down, while others
 * get their mails. So one domain makes a streak once, and none at all after a mail for another
 * domain was the last one accepted; a mail that it accepts sets that back.
 */
export class DeferralStreak {
  #deferrals = 0;
  #first: string | undefined;
  #several = false;
  #severalDomains = false;
  /** The one domain of a streak that was, and whose mail was accepted last. */
  #blamed: string | undefined;
  #accepted: string | undefined;

  /** True when this deferral makes it a streak; the next one begins a new count. */
  defer(recipient: string): boolean {
    this.#deferrals += 1;
    this.#first ??= recipient;
    this.#several ||= recipient !== this.#first;
    const domain = domainOf(recipient);
    this.#severalDomains ||= domain !== domainOf(this.#first);
    if (this.#deferrals < deferralsMax || !this.#several) return false;
    const isServer = this.#severalDomains || this.#maySpeakForServer(domain);
    if (!this.#severalDomains) this.#blamed = domain;
    this.#end();
    return isServer;
  }

  accept(recipient: string): void {
    this.#accepted = domainOf(recipient);
    if (this.#accepted === this.#blamed) this.#blamed = undefined;
    this.#end();
  }

  #maySpeakForServer(domain: string): boolean {
    if (domain === this.#blamed) return false;
    return this.#accepted === undefined || this.#accepted === domain;
  }

  #end(): void {
    this.#deferrals = 0;
    this.#first = undefined;
    this.#several = false;
    this.#severalDomains = false;
  }
}

function domainOf(recipient: string): string {
  return recipient.slice(recipient.lastIndexOf("@") + 1).toLowerCase();
}
