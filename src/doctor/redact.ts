import type { Group } from "./run-checks.ts";

/** Shorter ones would be found inside ordinary words. */
const charsMin = 6;

/**
 * The last net below the checks, which name no secret themselves: what a server said is printed,
 * and a server may repeat what it was told.
 */
export function redactSecrets(
  groups: readonly Group[],
  secrets: readonly string[],
): readonly Group[] {
  const hidden = secrets
    .flatMap((secret) => [secret, encodeURIComponent(secret), btoaText(secret)])
    .filter((secret) => secret.length >= charsMin)
    .toSorted((a, b) => b.length - a.length); // one may be a part of another
  const clean = (text: string) =>
    hidden.reduce((left, secret) => left.replaceAll(secret, "[secret]"), text);
  return groups.map((group) => ({
    ...group,
    about: group.about === undefined ? undefined : clean(group.about),
    findings: group.findings.map((finding) => ({
      ...finding,
      text: clean(finding.text),
      mend: finding.mend === undefined ? undefined : clean(finding.mend),
    })),
  }));
}

function btoaText(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
