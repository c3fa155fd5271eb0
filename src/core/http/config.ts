import type { ConfigValues } from "../config/field.ts";
import { listField, secretField, urlField } from "../config/field.ts";
import type { ConfigProblem } from "../config/parse.ts";
import type { IpNetwork } from "./ip-address.ts";
import { parseIpNetwork } from "./ip-address.ts";

export const httpFields = {
  publicUrl: urlField({
    name: "PUBLIC_URL",
    protocols: ["https:", "http:"],
    example: "https://sign-in.example.com",
    doc: "The address under which people reach serve-auth, when that is a proxy's. Its origin counts as our own.",
  }),
  trustedProxies: listField({
    name: "TRUSTED_PROXIES",
    itemPattern: /^[0-9A-Fa-f:.]+(?:\/\d{1,3})?$/,
    item: "10.0.0.0/8",
    doc: "Addresses and networks of the proxies before serve-auth. Only when a request comes from one of them is its X-Forwarded-For believed: the client is its rightmost hop that is not in this list. Unset: nobody is believed, the client is who connects.",
  }),
  corsOrigins: listField({
    name: "CORS_ORIGINS",
    itemPattern: /^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$/,
    item: "https://app.example.com",
    doc: "Origins whose pages may use the sign-in API with the person's cookie. They are trusted like our own pages. Unset: none.",
  }),
  metricsToken: secretField({
    name: "METRICS_TOKEN",
    charsMin: 32,
    doc: "What Prometheus brings as Bearer to read serve-auth's /metrics. Unset: it is read from the same machine alone, and by nobody in production.",
  }),
} as const;

type HttpValues = ConfigValues<typeof httpFields>;

export function checkHttp({ trustedProxies = [], publicUrl }: HttpValues): ConfigProblem[] {
  const problems: ConfigProblem[] = trustedProxies
    .filter((text) => parseIpNetwork(text) === undefined)
    .map((text) => ({ name: "TRUSTED_PROXIES", problem: `has ${text}, which is no IP network` }));
  if (publicUrl !== undefined && new URL(publicUrl).pathname !== "/") {
    problems.push({ name: "PUBLIC_URL", problem: "must have no path" });
  }
  return problems;
}

export interface HttpBoundary {
  readonly trustedProxies: readonly IpNetwork[];
  readonly corsOrigins: readonly string[];
  /** "https://sign-in.example.com", without a final slash. */
  readonly publicOrigin: string | undefined;
}

export function resolveHttp({ trustedProxies = [], corsOrigins = [], publicUrl }: HttpValues) {
  return {
    trustedProxies: trustedProxies.flatMap((text) => parseIpNetwork(text) ?? []),
    corsOrigins,
    publicOrigin: publicUrl === undefined ? undefined : new URL(publicUrl).origin,
  } satisfies HttpBoundary;
}
