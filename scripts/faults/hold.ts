import { eventually } from "../../support/eventually.ts";

export interface HoldRule<Request> {
  /**
   * "request": what fits does not reach the server. "reply": it does, and the answer does not come
   * back. Either way all that follows on the connection in that direction waits behind it.
   */
  readonly at: "request" | "reply";
  readonly fits: (request: Request) => boolean;
}

/** What is done with the connections that are held. */
type End<Request> = (hold: Hold<Request>, how: "release" | "drop") => void;

/**
 * A place where a proxy holds traffic.
 *
 * Catching: each request that fits is counted and holds its connection. Shut: what is held stays
 * held, nothing more is caught. Released: what was held goes on, late. Dropped: it never arrives, its
 * connections are cut.
 */
export class Hold<Request> {
  readonly rule: HoldRule<Request>;
  readonly #end: End<Request>;
  #caught = 0;
  #isShut = false;

  constructor(rule: HoldRule<Request>, end: End<Request>) {
    this.rule = rule;
    this.#end = end;
  }

  get caught(): number {
    return this.#caught;
  }

  catches(request: Request): boolean {
    if (this.#isShut || !this.rule.fits(request)) return false;
    this.#caught += 1;
    return true;
  }

  /** Waits until one was caught, and then up to `companyMs` for `count` of them. */
  async untilCaught(count: number, companyMs: number): Promise<void> {
    await eventually("something is held", () => this.#caught > 0, 30_000);
    const goneOnAt = Date.now() + companyMs;
    while (this.#caught < count && Date.now() < goneOnAt) await Bun.sleep(5);
  }

  shut(): void {
    this.#isShut = true;
  }

  release(): void {
    this.shut();
    this.#end(this, "release");
  }

  drop(): void {
    this.shut();
    this.#end(this, "drop");
  }
}
