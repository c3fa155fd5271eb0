import type { MiddlewareHandler } from "hono";
import type { HttpContext, HttpEnvironment } from "./environment.ts";
import { clientAddress } from "./environment.ts";
import type { IpAddress, IpNetwork } from "./ip-address.ts";
import { clientNetworkOf, isInNetwork, parseIpAddress } from "./ip-address.ts";

const forwardedCharsMax = 2_000;
const hopsMax = 20;
export const unknownClient = "unknown";

/**
 * Says on the context who asks, for counting (`context.get("client")`): the address of the other
 * end of the connection or, when that is one of ours (`trustedProxies`), the rightmost hop of
 * `X-Forwarded-For` that is none of ours: what stands left of it, its sender may have made up. IPv6
 * counts per /64. `unknown` when the connection is already gone.
 */
export function clientNetwork(
  trustedProxies: readonly IpNetwork[],
): MiddlewareHandler<HttpEnvironment> {
  return async function clientNetwork(context, next) {
    const address = findClient(context, trustedProxies);
    context.set("client", address === undefined ? unknownClient : clientNetworkOf(address));
    await next();
  };
}

function findClient(
  context: HttpContext,
  trustedProxies: readonly IpNetwork[],
): IpAddress | undefined {
  const direct = parseIpAddress(clientAddress(context) ?? "");
  if (trustedProxies.length === 0) return direct;
  const isOurs = (hop: IpAddress) => trustedProxies.some((network) => isInNetwork(hop, network));
  let client = direct;
  const forwarded = (context.req.header("X-Forwarded-For") ?? "").slice(-forwardedCharsMax);
  for (const hop of forwarded.split(",").toReversed().slice(0, hopsMax)) {
    if (client === undefined || !isOurs(client)) return client;
    const before = parseIpAddress(withoutPort(hop.trim()));
    if (before === undefined) return client; // the proxy of ours that wrote it is all we know
    client = before;
  }
  return client;
}

/** Some proxies add the port: "192.0.2.7:4711", "[2001:db8::1]:4711". */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
