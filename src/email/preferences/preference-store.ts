import { signText, verifyText } from "../../core/secret.ts";
import type { Clock } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import { isOptionalType, optionalTypes, recipientKey } from "../event.ts";
import type { OptionalType } from "../mails/mail-types.tsx";

/**
 * Which optional mails a recipient has declined. Without a record the recipient gets all types.
 *
 * Promises, tested by `tests/contract/preference-store.ts` for every adapter:
 * - Once `change` has resolved, every `findDeclined` that begins afterwards sees it, in any
 *   process.
 * - A change touches the types that it names and no others, however many run at once, and is
 *   idempotent.
 * - `forget` deletes the record.
 * Recipients are named by `recipientKey`: no address is stored here. Throws the engine's own error
 * (`postgres_unavailable`, `sqlite_busy`) while it is unavailable.
 */
export interface PreferenceStore {
  /** The declined types by key, without the keys that declined none. At most 1,000 keys. */
  findDeclined(keys: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  change(key: string, changes: PreferenceChanges): Promise<void>;
  forget(key: string): Promise<void>;
}

/** By type: true to get such mails, false to decline them; others stay unchanged. */
export type PreferenceChanges = { readonly [T in OptionalType]?: boolean | undefined };
export type Preferences = { readonly [T in OptionalType]: boolean };

export async function getPreferences(store: PreferenceStore, key: string): Promise<Preferences> {
  const declined = (await store.findDeclined([key])).get(key);
  const entries = optionalTypes.map((type) => [type, declined?.has(type) !== true]);
  return Object.fromEntries(entries) as Preferences;
}

/** For the adapters: the types that a change declines, and those that it accepts. */
export function splitPreferences(changes: PreferenceChanges): {
  declined: string[];
  accepted: string[];
} {
  const typesWith = (accepted: boolean) =>
    optionalTypes.filter((type) => changes[type] === accepted);
  return { declined: typesWith(false), accepted: typesWith(true) };
}

/** A row of both adapters' tables. */
export interface DeclinedRow {
  readonly recipient_key: string;
  readonly event_type: string;
}

export function groupDeclined(rows: readonly DeclinedRow[]): ReadonlyMap<string, Set<string>> {
  const declined = new Map<string, Set<string>>();
  for (const { recipient_key: key, event_type: type } of rows) {
    declined.set(key, (declined.get(key) ?? new Set()).add(type));
  }
  return declined;
}

/**
 * The recipient and the mail type; signed, so that nobody can forge a link for another recipient.
 */
export interface UnsubscribeGrant {
  readonly key: string;
  readonly type: GrantedType;
  /** Unix ms, to the second. */
  readonly issuedAt: number;
}

/** `all`: for a link that is not in a mail. */
export type GrantedType = OptionalType | "all";

type TokenOutcome =
  | { readonly kind: "valid"; readonly grant: UnsubscribeGrant }
  /** Validly signed, but expired. */
  | { readonly kind: "old" }
  /** Validly signed, for mails that could be declined once. */
  | { readonly kind: "mandatory" }
  | { readonly kind: "forged" };

export interface TokenSecrets {
  readonly current: string;
  /** The previous key, whose tokens are still valid. */
  readonly previous: string | undefined;
}

/** Laws require at least 30 to 60 days, and people open old mails. */
export const tokenLifeMs = 365 * 24 * 60 * 60 * 1000;
const purpose = "unsubscribe";

/** `<key>.<type>.<seconds, base 36>.<signature>`, about 100 characters, all fit for a path. */
export function createUnsubscribeToken(secret: string, grant: UnsubscribeGrant): string {
  const { key, type, issuedAt } = grant;
  return signText(secret, { purpose, parts: [key, type], signedAt: issuedAt });
}

/** Never throws, whatever the text. */
export function readUnsubscribeToken(
  { current, previous }: TokenSecrets,
  token: string,
  now: number,
): TokenOutcome {
  const keys = previous === undefined ? [current] : [current, previous];
  const verified = verifyText(token, { purpose, keys, lifeMs: tokenLifeMs, now });
  if (verified.kind === "forged") return verified;
  if (verified.kind === "expired") return { kind: "old" };
  const [key = "", type = ""] = verified.parts;
  if (!isGranted(type)) return { kind: "mandatory" };
  return { kind: "valid", grant: { key, type, issuedAt: verified.signedAt } };
}

function isGranted(type: string): type is GrantedType {
  return type === "all" || isOptionalType(type);
}

export const unsubscribePath = "/unsubscribe";

interface UnsubscribeLinkDeps {
  readonly secret: string;
  readonly clock: Clock;
  /** "https://sign-in.example.com"; without it there are no links. */
  readonly publicOrigin: string | undefined;
}

export type UnsubscribeLink = (event: EmailEvent) => string | undefined;

/** The link by which the recipient of an optional mail declines such mails; undefined for others. */
export function createUnsubscribeLink(deps: UnsubscribeLinkDeps): UnsubscribeLink {
  return ({ recipient, eventType }) => {
    const origin = deps.publicOrigin;
    if (origin === undefined || !isOptionalType(eventType)) return undefined;
    const grant = { key: recipientKey(recipient), type: eventType, issuedAt: deps.clock.now() };
    return `${origin}${unsubscribePath}/${createUnsubscribeToken(deps.secret, grant)}`;
  };
}

/** The path of the same page, for all types, for a signed-in user. */
export function createPreferencesPath({
  secret,
  clock,
}: Omit<UnsubscribeLinkDeps, "publicOrigin">) {
  return (address: string): string => {
    const grant = { key: recipientKey(address), type: "all", issuedAt: clock.now() } as const;
    return `${unsubscribePath}/${createUnsubscribeToken(secret, grant)}`;
  };
}

/** RFC 2369 and RFC 8058: mail programs show a button that POSTs to the link. */
export function unsubscribeHeaders(link: string): Readonly<Record<string, string>> {
  return {
    "List-Unsubscribe": `<${link}>`,
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
  };
}
