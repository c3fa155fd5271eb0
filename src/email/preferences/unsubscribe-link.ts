import type { Clock } from "../../core/clock.ts";
import type { EmailEvent } from "../event.ts";
import { isOptionalType } from "../mail-kind.ts";
import { recipientKey } from "../recipient-key.ts";
import { createUnsubscribeToken } from "./unsubscribe-token.ts";

export const unsubscribePath = "/unsubscribe";

export interface UnsubscribeLinkDeps {
  readonly secret: string;
  readonly clock: Clock;
  /** "https://sign-in.example.com"; undefined while it is not known: then there are no links. */
  readonly publicOrigin: () => string | undefined;
}

export type UnsubscribeLink = (event: EmailEvent) => string | undefined;

/** The link in an optional mail by which its recipient declines such mails; undefined for others. */
export function createUnsubscribeLink(deps: UnsubscribeLinkDeps): UnsubscribeLink {
  return ({ recipient, eventType }) => {
    const origin = deps.publicOrigin();
    if (origin === undefined || !isOptionalType(eventType)) return undefined;
    const grant = { key: recipientKey(recipient), type: eventType, issuedAt: deps.clock.now() };
    return `${origin}${unsubscribePath}/${createUnsubscribeToken(deps.secret, grant)}`;
  };
}

/** The path of the same page for somebody who is known otherwise: signed in. */
export function createPreferencesPath({
  secret,
  clock,
}: Omit<UnsubscribeLinkDeps, "publicOrigin">) {
  return (address: string): string => {
    const grant = { key: recipientKey(address), type: "all", issuedAt: clock.now() } as const;
    return `${unsubscribePath}/${createUnsubscribeToken(secret, grant)}`;
  };
}

/** RFC 2369 and RFC 8058: mail programs show a button that sends one POST to the link. */
export function unsubscribeHeaders(link: string): Readonly<Record<string, string>> {
  return {
    "List-Unsubscribe": `<${link}>`,
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
  };
}
