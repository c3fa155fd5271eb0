import type { Context } from "hono";

/** Hono's `Env` for every app of the program. */
export interface HttpEnvironment {
  readonly Bindings: { readonly clientAddress?: string | undefined };
  readonly Variables: {
    readonly requestId: string;
    /** The client as rate limits count it; see `clientNetwork`. */
    readonly client: string;
  };
}

export type HttpContext = Context<HttpEnvironment>;

/**
 * The peer address of the connection (a proxy, if there is one); undefined when the connection is
 * already closed or the request did not come through a socket.
 */
export function clientAddress(context: HttpContext): string | undefined {
  return context.env?.clientAddress;
}
