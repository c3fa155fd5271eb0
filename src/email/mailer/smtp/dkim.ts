// The settings of DKIM (RFC 6376); mime.ts signs. Apart from it, because settings are read first.
import type { KeyObject } from "node:crypto";
import { createPrivateKey } from "node:crypto";
import type { ConfigProblem, ConfigValues } from "../../../core/config.ts";
import { setting } from "../../../core/config.ts";

/** The domain that signs; the public half of `key` is in DNS at selector._domainkey.domain. */
export interface DkimOptions {
  readonly domain: string;
  readonly selector: string;
  /** RSA; of 2048 bits, one signature costs 0.6 ms of a core. */
  readonly key: KeyObject;
}

/** RFC 8301, 3.2: verifiers must not accept less. */
const keyBitsMin = 1024;

const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

/** For DKIM signing; all three or none. */
export const dkimFields = {
  dkimDomain: setting.pattern({
    name: "DKIM_DOMAIN",
    pattern: new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})+$`),
    shape: "a domain such as example.com, in ASCII",
    example: "example.com",
    doc: "The domain that signs every mail; it must belong to the same organization as SMTP_FROM's, or DMARC ignores it. Set all three DKIM_* if the server does not sign mails itself.",
  }),
  dkimSelector: setting.pattern({
    name: "DKIM_SELECTOR",
    pattern: new RegExp(`^(?=.{1,100}$)${label}(?:\\.${label})*$`),
    shape: "1 to 100 letters, digits, dashes and dots",
    example: "instant1",
    doc: "Which key of that domain: the public key is the TXT record at <selector>._domainkey.<domain>.",
  }),
  dkimPrivateKey: setting.secret({
    name: "DKIM_PRIVATE_KEY",
    doc: "The RSA key that signs, as PEM; `\\n` stands for a line break. 2048 bits are usual.",
  }),
} as const;

/**
 * Undefined: mails are not signed here. Settings that do not fit together are pushed to `problems`.
 */
export function resolveDkim(
  config: ConfigValues<typeof dkimFields>,
  problems: ConfigProblem[],
): DkimOptions | undefined {
  const { dkimDomain, dkimSelector, dkimPrivateKey } = config;
  const named = {
    DKIM_DOMAIN: dkimDomain,
    DKIM_SELECTOR: dkimSelector,
    DKIM_PRIVATE_KEY: dkimPrivateKey,
  };
  const missing = Object.entries(named).filter(([, value]) => value === undefined);
  if (missing.length === 3) return undefined;
  for (const [name] of missing) {
    problems.push({ name, problem: "must be set because another DKIM_* setting is" });
  }
  const key = dkimPrivateKey === undefined ? undefined : readKey(dkimPrivateKey, problems);
  if (dkimDomain === undefined || dkimSelector === undefined || key === undefined) return undefined;
  return { domain: dkimDomain.toLowerCase(), selector: dkimSelector, key };
}

function readKey(text: string, problems: ConfigProblem[]): KeyObject | undefined {
  const report = (problem: string) => problems.push({ name: "DKIM_PRIVATE_KEY", problem });
  try {
    const key = createPrivateKey(text.replaceAll("\\n", "\n"));
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (key.asymmetricKeyType !== "rsa") {
      report(`must be an RSA key, which every receiver can check; it is ${key.asymmetricKeyType}`);
    } else if (bits < keyBitsMin) {
      report(`must have at least ${keyBitsMin} bits, and has ${bits}: receivers ignore such keys`);
    } else return key;
  } catch {
    report("must be a private key in PEM form, without a passphrase (-----BEGIN PRIVATE KEY-----)");
  }
  return undefined;
}
