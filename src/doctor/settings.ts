// Checks of settings: weak secrets, choices that conflict, misspelt names, the sender's DNS.
import { Resolver } from "node:dns/promises";
import type { Diagnosis } from "../core/diagnosis.ts";
import { holdsStrangers } from "../core/http/client-address.ts";
import { findWeakSecrets, newSecret } from "../core/secret.ts";

/**
 * The secrets that are set, by the name of their variable: each strong, all different. `refused`: the
 * weak ones were reported, because a service refuses to start with them.
 */
export function diagnoseSecrets(
  diagnosis: Diagnosis,
  secrets: Readonly<Record<string, string | undefined>>,
  refused: boolean,
): void {
  const weak = findWeakSecrets(secrets);
  for (const { name, kind, problem, fix } of refused ? [] : weak) {
    diagnosis.fault(`secrets.${kind}`, `${name} ${problem}`, upperFirst(fix));
  }
  const strong = Object.keys(secrets).filter(
    (name) => secrets[name] !== undefined && !weak.some((each) => each.name === name),
  );
  if (strong.length > 0) diagnosis.ok("secrets.strength", `${strong.join(", ")}: long and random`);
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Settings that depend on each other. */
interface Setup {
  readonly production: boolean;
  /** Which engines are real; the others are local files. */
  readonly kafka: boolean;
  readonly redis: boolean;
  readonly postgres: boolean;
  /** EMAIL_MODE=smtp */
  readonly sendsMails: boolean;
  /** SMTP_HOST or SMTP_URLS is set. */
  readonly hasSmtpServer: boolean;
  /** PUBLIC_URL */
  readonly publicUrl: string | undefined;
  /** TRUSTED_PROXIES */
  readonly trustedProxies: readonly string[];
  /** serve-email runs without OPS_TOKEN. */
  readonly lacksOpsToken: boolean;
}

/** Checks for settings that are each valid but do not fit together. */
export function diagnoseSetup(setup: Setup, diagnosis: Diagnosis): void {
  const { kafka, redis, postgres, production } = setup;
  if (kafka && !redis) {
    const text = "Events are on Kafka, but the delivery ledger is only a local file";
    const fix =
      "Set REDIS_URL, or a second serve-email on another machine sends the same mails again";
    diagnosis.warn("setup.ledger", text, fix);
  }
  if ((kafka || redis) && !postgres) {
    const text = "Users and preferences are only in a local file";
    diagnosis.warn("setup.users", text, "Set DATABASE_URL before you run a second machine");
  }
  if (!setup.sendsMails && setup.hasSmtpServer) {
    const text =
      "An SMTP server is set, but EMAIL_MODE=log sends no mail: it keeps them in the inbox";
    diagnosis.warn("setup.mail_mode", text, "Set EMAIL_MODE=smtp to send them");
  }
  if (production && setup.publicUrl === undefined) {
    const text =
      "Mails have no links, neither to unsubscribe nor to undo a change of address, because PUBLIC_URL is not set";
    const fix = "Set it to the public URL of serve-auth, such as https://id.example.com";
    diagnosis.warn("setup.public_url", text, fix);
  }
  diagnoseExposure(setup, diagnosis);
}

/** How the services are seen from outside. A service logs these faults when it starts. */
function diagnoseExposure(setup: Setup, diagnosis: Diagnosis): void {
  const { production, publicUrl = "", trustedProxies } = setup;
  if (production && setup.lacksOpsToken) {
    const text = "The pages for operators are closed, because OPS_TOKEN is not set";
    diagnosis.fault("setup.ops_token", text, `Set OPS_TOKEN="$(${newSecret})"`);
  }
  if (production && /^http:/i.test(publicUrl)) {
    const text =
      "PUBLIC_URL begins with http://: browsers drop the cookie of a page that was not opened with https, so nobody can sign in";
    diagnosis.fault(
      "setup.plain_http",
      text,
      "Put a proxy with TLS in front, and set it to https://…",
    );
  }
  const wide = trustedProxies.filter(holdsStrangers);
  if (wide.length > 0) {
    const text = `TRUSTED_PROXIES has ${wide.join(" and ")}: strangers in it choose the address that they are counted by, and no limit holds them`;
    diagnosis.fault("setup.trusted_proxies", text, "List the addresses of your proxies alone");
  }
  if (/^https:/i.test(publicUrl) && trustedProxies.length === 0) {
    const text =
      "PUBLIC_URL is that of a proxy, but TRUSTED_PROXIES is not set: everybody behind it counts as one client, so that the wrong codes of one stop all";
    diagnosis.warn("setup.clients", text, "Set TRUSTED_PROXIES to the addresses of the proxy");
  }
}

/** The names that other programs use. */
const otherNames: Readonly<Record<string, string>> = {
  DB_NAME: "DB_DATABASE",
  EMAIL_FROM: "SMTP_FROM",
  KAFKA_BOOTSTRAP_SERVERS: "KAFKA_BROKERS",
  MAIL_FROM: "SMTP_FROM",
  POSTGRES_URL: "DATABASE_URL",
  REDIS_HOST: "REDIS_ADDR",
  SMTP_SECURE: "SMTP_TLS",
  SMTP_SERVER: "SMTP_HOST",
};
const editsMax = 2;

/**
 * Warns of variables that are set but unknown to this program, and look like a known one that is
 * not set. All others are ignored: an environment is full of other programs' variables.
 */
export function diagnoseNames(
  diagnosis: Diagnosis,
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): void {
  const names = new Set(known);
  const free = known.filter((name) => !environment[name]);
  const lookalikes = createLookalikes(free);
  for (const [name, value] of Object.entries(environment)) {
    if (!value || names.has(name)) continue;
    const meant = suggest(name.toUpperCase(), free, lookalikes);
    if (meant === undefined) continue;
    const text = `${name} is set, but this program has no such variable`;
    diagnosis.warn("config.mistyped", text, `Did you mean ${meant}? Rename it, or remove it`);
  }
}

const beginningChars = 2; // a slip in the first two is rare

/**
 * Finds the variables that a name is worth comparing with: those that begin alike. Kubernetes sets
 * seven variables for each service, and comparing a thousand with all of ours takes half a second.
 */
export function createLookalikes(known: readonly string[]): (name: string) => readonly string[] {
  const beginningOf = (name: string) => name.slice(0, beginningChars);
  const groups = Map.groupBy(known, beginningOf);
  return (name) => groups.get(beginningOf(name)) ?? [];
}

/** The variable that was probably meant. */
function suggest(
  name: string,
  known: readonly string[],
  lookalikes: ReturnType<typeof createLookalikes>,
): string | undefined {
  const other = otherNames[name];
  if (other !== undefined && known.includes(other)) return other;
  const scored = lookalikes(name)
    .map((candidate) => ({ candidate, edits: score(name, candidate) }))
    .filter(({ edits }) => edits <= editsMax)
    .toSorted((a, b) => a.edits - b.edits);
  return scored[0]?.candidate;
}

/** Edits between two names; 1 when one starts with the other: SMTP_PASS, SMTP_PASSWORD. */
function score(name: string, candidate: string): number {
  const [short, long] = name.length < candidate.length ? [name, candidate] : [candidate, name];
  const isBeginning = long.startsWith(short) && /^[A-Z]+$/.test(long.slice(short.length));
  if (isBeginning && /^[A-Z]+_[A-Z]{3}/.test(short)) return 1;
  if (long.length - short.length > editsMax || short.length < 6) return Number.POSITIVE_INFINITY;
  return countEdits(name, candidate);
}

/** Letters inserted, deleted, changed or swapped with a neighbour (optimal string alignment). */
function countEdits(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const least = Math.min(changed, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(swaps ? Math.min(least, (beforeLast[j - 2] ?? 0) + 1) : least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

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
