import type { Context } from "hono";

/** What every handler finds on its context: Hono's `Env` of all apps of the program. */
export interface HttpEnvironment {
  readonly Bindings: { readonly clientAddress?: string | undefined };
  readonly Variables: {
    readonly requestId: string;
    /** Who asks, as it is counted; see `clientNetwork`. */
    readonly client: string;
  };
}

export type HttpContext = Context<HttpEnvironment>;

/**
 * The address of the other end of the connection; undefined when it is already gone (or the
 * request did not come through a socket). Behind a proxy this is the proxy.
 */
export function clientAddress(context: HttpContext): string | undefined {
  return context.env?.clientAddress;
}
