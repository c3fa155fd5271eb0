import type { JSX } from "hono/jsx/jsx-runtime";
import { z } from "zod";
import { locale } from "./data-fields.ts";

/**
 * One type of mail: the data that its event must contain, and its content. `mail-types.tsx` has one
 * for each event type.
 *
 * `content` does not run for every mail. It runs once per language, with markers in place of the
 * values, and the renderer keeps the result; a mail then only fills in what `view` returns. So
 * `content` may check whether a value is present and place it, but not compute with it: that
 * belongs in `values`. All functions are pure: no clock, no I/O.
 */
export interface MailType<
  Data extends z.ZodObject = z.ZodObject,
  Messages = unknown,
  Kind extends MailKind = MailKind,
> {
  readonly kind: Kind;
  readonly data: Data;
  /** Variants whose texts differ in more than their values; the first is the default. */
  readonly variants: readonly [string, ...string[]];
  /** Values and links that every template must show: without them the mail is useless. */
  readonly essential: readonly string[];
  /** Sample data by name, for the preview and the golden files; the first is the usual case. */
  samples(now: number): Readonly<Record<string, z.infer<Data>>>;
  view(event: ViewedEvent<z.infer<Data>>, format: TimeFormat): MailView;
  content(parts: ContentParts<Messages>): MailContent;
}

/**
 * Transactional: requested by the recipient, always sent. Optional: the recipient may decline it.
 */
type MailKind = "transactional" | "optional";

/** The input of a view. */
interface ViewedEvent<Data> {
  readonly data: Data;
  /** Unix ms. */
  readonly expiresAt: number | undefined;
  /** Unix ms of sending. */
  readonly now: number;
}

/** How a language writes durations and times. */
export interface TimeFormat {
  /** "10 minutes": the time left at sending. */
  remaining(expiresAt: number, now: number): string;
  /** "31 January 2026 at 12:00 UTC", from RFC 3339. */
  time(timestamp: string): string;
}

export type Texts = Readonly<Record<string, string | undefined>>;

/** The parts that differ from mail to mail. */
export interface MailView {
  readonly variant: string;
  /** Texts; undefined if the event has none. */
  readonly values: Texts;
  readonly links: Texts;
}

export interface ContentParts<Messages, Values = Texts, Links = Texts, Variant = string> {
  readonly messages: Messages;
  readonly appName: string;
  readonly values: Values;
  readonly links: Links;
  readonly variant: Variant;
  /** EMAIL_CODE_IN_SUBJECT. */
  readonly codeInSubject: boolean;
}

interface MailContent {
  readonly subject: string;
  /** The preheader: the line that mail lists show after the subject. */
  readonly preheader: string;
  readonly body: JSX.Element;
}

interface MailSpec<
  Data extends z.ZodObject,
  Messages,
  Kind extends MailKind,
  Variant extends string,
  Values extends Texts,
  Links extends Texts,
> {
  readonly kind: Kind;
  readonly data: Data;
  readonly variants?: readonly [Variant, ...Variant[]];
  readonly essential?: readonly string[];
  readonly samples: (now: number) => Readonly<Record<string, z.infer<Data>>>;
  readonly variant?: (data: z.infer<Data>) => Variant;
  readonly values: (event: ViewedEvent<z.infer<Data>>, format: TimeFormat) => Values;
  readonly links?: (data: z.infer<Data>) => Links;
  readonly content: (parts: ContentParts<Messages, Values, Links, Variant>) => MailContent;
}

/** The schema of an event's data. Every event may also name the language to write in. */
export function mailData<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object({ ...shape, locale: locale.optional() });
}

/**
 * `defineMail<WelcomeMessages>()({…})`: the messages that every language must have are named first,
 * the other types are inferred.
 */
export function defineMail<Messages>() {
  return <
    Data extends z.ZodObject,
    Kind extends MailKind,
    Values extends Texts,
    Variant extends string = "usual",
    Links extends Texts = Texts,
  >(
    spec: MailSpec<Data, Messages, Kind, Variant, Values, Links>,
  ): MailType<Data, Messages, Kind> => {
    const variants = spec.variants ?? (["usual"] as const);
    return {
      kind: spec.kind,
      data: spec.data,
      variants,
      essential: spec.essential ?? [],
      samples: spec.samples,
      view: (event, format) => ({
        variant: spec.variant?.(event.data) ?? variants[0],
        values: spec.values(event, format),
        links: spec.links?.(event.data) ?? {},
      }),
      content: (parts) => spec.content(parts as ContentParts<Messages, Values, Links, Variant>),
    };
  };
}
