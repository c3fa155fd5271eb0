import type { MailType } from "./mail-type.ts";
import type { EventType } from "./mail-types.ts";
import { mailTypes } from "./mail-types.ts";

export interface NamedSample {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Data to look at a mail of this type with: the usual case first. */
export function samplesOf(type: EventType, now: number): readonly NamedSample[] {
  const mailType: MailType = mailTypes[type];
  return Object.entries(mailType.samples(now)).map(([name, data]) => ({ name, data }));
}

/** The usual case. */
export function sampleData(type: EventType, now: number): NamedSample["data"] {
  return samplesOf(type, now)[0]?.data ?? {};
}
