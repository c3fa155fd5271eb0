import type { EventType } from "./event.ts";

/**
 * Which mails a person may decline. Transactional: what somebody asked for, always sent. Optional:
 * sent unless the recipient said no; it carries the way to say so. One row per type.
 */
const mailKinds = {
  verification_code: "transactional",
  welcome: "optional",
  password_reset: "transactional",
  sign_in_notice: "optional",
  email_change: "transactional",
} as const satisfies Readonly<Record<EventType, "transactional" | "optional">>;

type Kinds = typeof mailKinds;
export type OptionalType = {
  readonly [T in keyof Kinds]: Kinds[T] extends "optional" ? T : never;
}[keyof Kinds];

export const optionalTypes = Object.keys(mailKinds).filter(isOptionalType);

export function isOptionalType(type: string): type is OptionalType {
  return Object.hasOwn(mailKinds, type) && mailKinds[type as EventType] === "optional";
}
