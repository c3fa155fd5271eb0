import type { EmailEvent, EventType } from "../event.ts";

/**
 * A template turns one event into subject, HTML and text. It is pure: no clock, no I/O; all it
 * needs beside the event stands in `TemplateContext`. HTML is escaped by JSX.
 */
export interface Template<T extends EventType> {
  readonly render: (event: EventOf<T>, context: TemplateContext) => RenderedMail;
}

export type EventOf<T extends EventType> = Extract<EmailEvent, { eventType: T }>;

export interface TemplateContext {
  /** APP_NAME: who the mail says it is from. */
  readonly appName: string;
  /** Unix ms of sending: what a mail says about time is what remains then. */
  readonly now: number;
}

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}
