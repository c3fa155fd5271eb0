import { eventTypes, isEventType, mailTypes } from "./mails/mail-types.ts";

type Types = typeof mailTypes;

/** Mails that their recipients may decline; they carry the way to do it. */
export type OptionalType = {
  readonly [T in keyof Types]: Types[T]["kind"] extends "optional" ? T : never;
}[keyof Types];

export const optionalTypes = eventTypes.filter(isOptionalType);

export function isOptionalType(type: string): type is OptionalType {
  return isEventType(type) && mailTypes[type].kind === "optional";
}
