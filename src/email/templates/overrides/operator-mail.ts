import type { Filling, MailType, Say } from "../../mails/mail-type.ts";
import type { EventType } from "../../mails/mail-types.ts";
import { mailTypes } from "../../mails/mail-types.ts";
import { safeText } from "../safe-text.ts";
import type { OperatorText, OperatorView } from "./operator-text.ts";

/** A mail as the operator writes it, in one language. */
export interface OperatorMail {
  readonly subject: OperatorText;
  readonly html: OperatorText;
  readonly text: OperatorText;
  /** How that language says durations and times. */
  readonly say: Say;
}

export interface ViewParts {
  readonly appName: string;
  readonly recipient: string;
  readonly unsubscribeUrl: string | undefined;
  readonly filling: Filling;
}

/** What the tags of every mail may name, beside the values of its type. */
const everywhere = ["app_name", "recipient"] as const;

/** All that the templates of a type may name. */
export function namesOf(type: EventType, say: Say): readonly string[] {
  const mailType: MailType = mailTypes[type];
  const [data = {}] = Object.values(mailType.samples(0));
  const { values, links } = mailType.fill({ data, expiresAt: undefined, now: 0 }, say);
  const variants = mailType.variants.length > 1 ? mailType.variants : [];
  const unsubscribe = mailType.kind === "optional" ? ["unsubscribe_link"] : [];
  return [
    ...Object.keys(values),
    ...Object.keys(links),
    ...variants,
    ...everywhere,
    ...unsubscribe,
  ];
}

export function viewOf({ appName, recipient, unsubscribeUrl, filling }: ViewParts): OperatorView {
  const view: Record<string, string | true | undefined> = {
    app_name: appName,
    recipient: safeText(recipient),
    unsubscribe_link: unsubscribeUrl,
    [filling.variant]: true,
    ...filling.links,
  };
  for (const [name, value] of Object.entries(filling.values)) {
    view[name] = value === undefined ? undefined : safeText(value);
  }
  return view;
}

/** A subject is one line, whatever white space stands around it. */
export function renderOperatorMail(mail: OperatorMail, view: OperatorView) {
  return {
    subject: mail.subject.render(view).replace(/\s+/g, " ").trim(),
    html: mail.html.render(view),
    text: mail.text.render(view),
  };
}
