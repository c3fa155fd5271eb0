import { loadConfig } from "../compose/config.ts";
import { openRecipientStores } from "../compose/recipient-stores.ts";
import { withTools } from "../compose/tools.ts";
import { systemClock } from "../core/clock.ts";
import type { Environment } from "../core/config/parse.ts";
import type { Suppression, SuppressionStore } from "../email/suppressions/suppression-store.ts";
import type { SuppressionFlags } from "./suppression-flags.ts";
import { parseRecipients, parseSuppressionFlags } from "./suppression-flags.ts";

/** Gives `work` the suppressions of the configured engine. */
export function withSuppressions(
  environment: Environment,
  work: (store: SuppressionStore) => Promise<void>,
): Promise<number> {
  const config = loadConfig(environment);
  return withTools(config, async (engines) => {
    await work((await openRecipientStores(engines)).suppressions);
    return 0;
  });
}

/** The report of a command: JSON on one line, or lines for a person. */
export function report(flags: { readonly json?: boolean }, json: object, lines: readonly string[]) {
  const text = flags.json === true ? JSON.stringify(json) : lines.join("\n");
  process.stdout.write(`${text}\n`);
}

/** The newest first. Addresses in full: an operator has to compare them with what people write. */
export function listSuppressions(environment: Environment, flags: SuppressionFlags) {
  const { reason, limit } = parseSuppressionFlags(flags);
  const asked = flags.address === undefined ? undefined : parseRecipients([flags.address])[0];
  return withSuppressions(environment, async (store) => {
    const found =
      asked === undefined
        ? await store.newest({ limit, reason })
        : [...(await store.find([asked.key])).values()];
    const total = asked === undefined ? await store.count(reason) : found.length;
    const lines = found.map(lineOf);
    if (total === 0)
      lines.push(asked === undefined ? "No address is suppressed" : "Not suppressed");
    else if (total > found.length)
      lines.push(`${found.length} of ${total}; export writes them all`);
    report(flags, { total, suppressions: found.map(jsonOf) }, lines);
  });
}

export function addSuppressions(
  environment: Environment,
  addresses: readonly string[],
  flags: SuppressionFlags,
) {
  const { reason = "manual", durationMs } = parseSuppressionFlags(flags);
  const recipients = parseRecipients(addresses);
  return withSuppressions(environment, async (store) => {
    const createdAt = systemClock.now();
    const expiresAt = durationMs === undefined ? undefined : createdAt + durationMs;
    const entries = recipients.map((recipient) => {
      return { ...recipient, reason, note: flags.note, createdAt, expiresAt };
    });
    const added = await store.add(entries);
    const kept = new Set(entries.map(({ key }) => key)).size - added;
    const lines = [`${added} suppressed`];
    if (kept > 0) lines.push(`${kept} were suppressed for as long already`);
    report(flags, { added, kept }, lines);
  });
}

/** Exit 0 also for an address that was not suppressed: afterwards it is not. */
export function removeSuppressions(
  environment: Environment,
  addresses: readonly string[],
  flags: SuppressionFlags,
) {
  const recipients = parseRecipients(addresses);
  return withSuppressions(environment, async (store) => {
    let removed = 0;
    for (const { key } of recipients) if (await store.remove(key)) removed += 1;
    const unknown = recipients.length - removed;
    const lines = [`${removed} removed: the next mail is sent again`];
    if (unknown > 0) lines.push(`${unknown} were not suppressed`);
    report(flags, { removed, unknown }, lines);
  });
}

function lineOf({ address, key, reason, note, expiresAt }: Suppression): string {
  const until = expiresAt === undefined ? "until removed" : `until ${isoMinute(expiresAt)}`;
  return [address ?? `(forgotten) ${key}`, reason, until, note ?? ""].join("  ").trimEnd();
}

function jsonOf({ address, key, reason, note, createdAt, expiresAt }: Suppression) {
  return {
    address: address ?? null,
    key,
    reason,
    note: note ?? null,
    created_at: new Date(createdAt).toISOString(),
    expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}

function isoMinute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16)}Z`;
}
