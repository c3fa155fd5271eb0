// Which addresses reach the same mailbox: for budgets alone. An account belongs to the address.

interface Provider {
  /** Names of the same mailboxes. */
  readonly domains: readonly string[];
  /** What the provider ignores before the @. */
  readonly ignored?: RegExp;
}

const providers: readonly Provider[] = [
  { domains: ["gmail.com", "googlemail.com"], ignored: /\./g },
  { domains: ["proton.me", "protonmail.com", "protonmail.ch", "pm.me"], ignored: /[._-]/g },
  {
    domains: ["yandex.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua", "ya.ru"],
    ignored: /[.-]/g,
  },
  { domains: ["icloud.com", "me.com", "mac.com"] },
];

const providerOf = new Map(
  providers.flatMap((provider) => provider.domains.map((domain) => [domain, provider] as const)),
);
/** Mail to any name at `ana.fastmail.com` reaches `ana@fastmail.com`. */
const ownSubdomain = /^[^@]+@([^@.]+)\.(fastmail\.(?:com|fm))$/;

/**
 * The mailbox of an address in canonical form: without its tag ("ana+shop@example.com", RFC 5233)
 * and without what its provider ignores. Two people may share the result where a provider delivers
 * tags to different mailboxes: they share a budget, nothing else.
 */
export function mailboxOf(email: string): string {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1);
  const plus = email.indexOf("+");
  const local = email.slice(0, plus > 0 && plus < at ? plus : at);
  const provider = providerOf.get(domain);
  if (provider === undefined) {
    return `${local}@${domain}`.replace(ownSubdomain, "$1@$2");
  }
  const name = provider.ignored === undefined ? local : local.replace(provider.ignored, "");
  return `${name}@${provider.domains[0]}`;
}
