import { Resolver } from "node:dns/promises";
import type { Diagnosis } from "../core/diagnosis.ts";

/** The TXT records of a name; empty when it has none. Rejects when no resolver answers. */
export type LookUpTxt = (name: string) => Promise<readonly string[]>;

interface SenderDomain {
  /** The domain of SMTP_FROM, in ASCII. */
  readonly domain: string;
  /** The domain of the envelope sender, whose SPF record counts. */
  readonly envelopeDomain: string;
  /** Set when mails are signed here. */
  readonly dkim: { readonly domain: string; readonly selector: string } | undefined;
}

const resolverTimeoutMs = 1500;

/**
 * Checks the DNS records by which receivers judge our mails: the allowed senders (SPF, RFC 7208),
 * the public key (DKIM, RFC 6376), and the policy for failures (DMARC, RFC 7489). Warnings only:
 * mails without them are sent, but end up in the spam folder.
 */
export async function diagnoseSenderDomain(
  { domain, envelopeDomain, dkim }: SenderDomain,
  diagnosis: Diagnosis,
  lookUp: LookUpTxt = createLookUp(),
): Promise<void> {
  try {
    await diagnoseSpf(envelopeDomain, await lookUp(envelopeDomain), diagnosis);
    await diagnoseDmarc(domain, lookUp, diagnosis);
    if (dkim !== undefined) await diagnoseDkim(dkim, lookUp, diagnosis);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer";
    const text = `No DNS resolver answers (${code}): SPF, DKIM and DMARC of ${domain} are unchecked`;
    diagnosis.warn("dns.resolver", text, "Check from a machine with DNS: dig TXT _dmarc.<domain>");
  }
}

async function diagnoseSpf(
  domain: string,
  records: readonly string[],
  diagnosis: Diagnosis,
): Promise<void> {
  const found = records.filter((record) => /^v=spf1(?: |$)/i.test(record));
  const [record = ""] = found;
  if (found.length === 0) {
    const fix = `Add a TXT record to ${domain}: "v=spf1 include:<your mail provider> -all"`;
    diagnosis.warn("dns.spf", `${domain} has no SPF record`, fix);
  } else if (found.length > 1) {
    const text = `${domain} has ${found.length} SPF records, which count as none`;
    diagnosis.warn("dns.spf", text, "Merge them into one");
  } else if (/\s\+?all\s*$/i.test(record)) {
    const text = `The SPF record of ${domain} lets anyone send (+all)`;
    diagnosis.warn("dns.spf", text, "End it with -all or ~all");
  } else {
    diagnosis.ok("dns.spf", `${domain} has an SPF record`);
  }
}

/** The policy of the domain itself, else of the domains above it. */
async function diagnoseDmarc(
  domain: string,
  lookUp: LookUpTxt,
  diagnosis: Diagnosis,
): Promise<void> {
  const labels = domain.split(".");
  for (let skipped = 0; skipped <= labels.length - 2; skipped += 1) {
    const name = `_dmarc.${labels.slice(skipped).join(".")}`;
    const record = (await lookUp(name)).find((text) => /^v=DMARC1\b/i.test(text));
    if (record === undefined) continue;
    const policy = /;\s*p=(\w+)/i.exec(record)?.[1] ?? "none";
    diagnosis.ok("dns.dmarc", `${name}: mails that fail are treated as ${policy}`);
    return;
  }
  const fix = `Add a TXT record to _dmarc.${domain}: "v=DMARC1; p=quarantine"`;
  diagnosis.warn("dns.dmarc", `${domain} has no DMARC record`, fix);
}

async function diagnoseDkim(
  { domain, selector }: { readonly domain: string; readonly selector: string },
  lookUp: LookUpTxt,
  diagnosis: Diagnosis,
): Promise<void> {
  const name = `${selector}._domainkey.${domain}`;
  const key = (await lookUp(name)).find((record) => /\bp=/.test(record));
  if (key === undefined) {
    const fix = `Publish the public half of DKIM_PRIVATE_KEY as a TXT record at ${name}`;
    diagnosis.warn("dns.dkim", `No DKIM key at ${name}`, fix);
  } else if (/\bp=\s*(?:;|$)/.test(key)) {
    const text = `The DKIM key at ${name} is revoked`;
    diagnosis.warn("dns.dkim", text, "Publish a new key under a new DKIM_SELECTOR");
  } else {
    diagnosis.ok("dns.dkim", `${name} has a key`);
  }
}

function createLookUp(): LookUpTxt {
  const resolver = new Resolver({ timeout: resolverTimeoutMs, tries: 1 });
  return async (name) => {
    try {
      const records = await resolver.resolveTxt(name);
      return records.map((parts) => parts.join(""));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOTFOUND" || code === "ENODATA") return [];
      throw error;
    }
  };
}
