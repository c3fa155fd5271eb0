import { equalConstantTime, hmacText } from "../../core/secret.ts";
import type { OptionalType } from "../mail-kind.ts";
import { isOptionalType } from "../mail-kind.ts";
import { recipientKeyShape } from "../recipient-key.ts";

/** Whose mails of which type; signed, so that nobody can make one for somebody else. */
export interface UnsubscribeGrant {
  readonly key: string;
  readonly type: GrantedType;
  /** Unix ms, to the second. */
  readonly issuedAt: number;
}

/** `all`: of a link that stands in no mail. */
export type GrantedType = OptionalType | "all";

export type TokenOutcome =
  | { readonly kind: "valid"; readonly grant: UnsubscribeGrant }
  /** Once good; its life is over. */
  | { readonly kind: "old" }
  | { readonly kind: "forged" };

export interface TokenSecrets {
  readonly current: string;
  /** The one before it, whose tokens are still good. */
  readonly previous: string | undefined;
}

/** Laws ask for at least 30 to 60 days; people open old mails. */
export const tokenLifeMs = 365 * 24 * 60 * 60 * 1000;
const tokenShape = /^([0-9a-f]{32})\.([a-z_]{1,64})\.([0-9a-z]{1,9})\.([\w-]{43})$/;

/** `<key>.<type>.<seconds, base 36>.<HMAC-SHA-256>`, about 100 characters, all fit for a path. */
export function createUnsubscribeToken(secret: string, grant: UnsubscribeGrant): string {
  const seconds = Math.floor(grant.issuedAt / 1000).toString(36);
  return `${grant.key}.${grant.type}.${seconds}.${sign(secret, grant.key, grant.type, seconds)}`;
}

/** Never throws, whatever the text. */
export function readUnsubscribeToken(
  { current, previous }: TokenSecrets,
  token: string,
  now: number,
): TokenOutcome {
  const [, key = "", type = "", seconds = "", signature = ""] = tokenShape.exec(token) ?? [];
  const secrets = previous === undefined ? [current] : [current, previous];
  const isSigned = secrets.some((secret) =>
    equalConstantTime(sign(secret, key, type, seconds), signature),
  );
  if (!isSigned || !recipientKeyShape.test(key)) return { kind: "forged" };
  const issuedAt = Number.parseInt(seconds, 36) * 1000;
  if (now >= issuedAt + tokenLifeMs || !isGranted(type)) return { kind: "old" };
  return { kind: "valid", grant: { key, type, issuedAt } };
}

function isGranted(type: string): type is GrantedType {
  return type === "all" || isOptionalType(type);
}

function sign(secret: string, ...parts: readonly string[]): string {
  return hmacText(secret, "base64url", "unsubscribe", ...parts);
}
