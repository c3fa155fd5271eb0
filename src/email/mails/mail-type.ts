import type { JSX } from "hono/jsx/jsx-runtime";
import { z } from "zod";
import { locale } from "./data-fields.ts";

/**
 * One kind of mail: what its event must bring, and how it reads. A mail is written once and sent a
 * million times, so `letter` is not called for each: it is called once per language with markers in
 * place of the values, and what comes out is kept; a mail then only fills in what `values` and
 * `links` say. A letter may therefore ask whether a value is there, and hand it on, but not compute
 * with it: computing belongs into `values`. All functions are pure: no clock, no I/O.
 */
export interface MailType<
  D extends z.ZodObject = z.ZodObject,
  W = unknown,
  K extends MailKind = MailKind,
> {
  /** Transactional: what somebody asked for, always sent. Optional: its recipient may decline it. */
  readonly kind: K;
  readonly data: D;
  /** The texts that differ in more than their values; the first is that of a plain event. */
  readonly variants: readonly [string, ...string[]];
  /** Values and links without which the mail would be of no use: no template may leave them out. */
  readonly essential: readonly string[];
  /** Data to look at it with, by name; the first is the usual case. */
  samples(now: number): Readonly<Record<string, z.infer<D>>>;
  fill(event: FilledEvent<z.infer<D>>, format: TimeFormat): Filling;
  content(parts: ContentParts<W>): MailContent;
}

type MailKind = "transactional" | "optional";

/** What a mail is filled from. */
interface FilledEvent<D> {
  readonly data: D;
  readonly expiresAt: number | undefined;
  /** Unix ms of sending. */
  readonly now: number;
}

/** How things that depend on the language are said. */
export interface TimeFormat {
  /** "10 minutes": what is left at sending, see `speech.ts`. */
  remaining(expiresAt: number, now: number): string;
  /** "31 January 2026 at 12:00 UTC", from RFC 3339. */
  time(timestamp: string): string;
}

export type Texts = Readonly<Record<string, string | undefined>>;

export interface Filling {
  readonly variant: string;
  /** Texts for people. Absent ones are undefined. */
  readonly values: Texts;
  /** Addresses that the mail leads to. */
  readonly links: Texts;
}

export interface ContentParts<W, V = Texts, L = Texts, X = string> {
  readonly messages: W;
  readonly appName: string;
  readonly values: V;
  readonly links: L;
  readonly variant: X;
  /** EMAIL_CODE_IN_SUBJECT. */
  readonly codeInSubject: boolean;
}

interface MailContent {
  readonly subject: string;
  /** The line that mail lists show behind the subject. */
  readonly preheader: string;
  readonly body: JSX.Element;
}

interface MailSpec<
  D extends z.ZodObject,
  W,
  K extends MailKind,
  X extends string,
  V extends Texts,
  L extends Texts,
> {
  readonly kind: K;
  readonly data: D;
  readonly variants?: readonly [X, ...X[]];
  readonly essential?: readonly string[];
  readonly samples: (now: number) => Readonly<Record<string, z.infer<D>>>;
  readonly variant?: (data: z.infer<D>) => X;
  readonly values: (event: FilledEvent<z.infer<D>>, format: TimeFormat) => V;
  readonly links?: (data: z.infer<D>) => L;
  readonly content: (parts: ContentParts<W, V, L, X>) => MailContent;
}

/** The data of an event, by its schema. Each event may also say in which language to write. */
export function mailData<S extends z.ZodRawShape>(shape: S) {
  return z.object({ ...shape, locale: locale.optional() });
}

/**
 * `defineMail<WelcomeWords>()({…})`: the words that every language must have for the mail come
 * first, the rest is inferred.
 */
export function defineMail<W>() {
  return <
    D extends z.ZodObject,
    K extends MailKind,
    V extends Texts,
    X extends string = "usual",
    L extends Texts = Texts,
  >(
    spec: MailSpec<D, W, K, X, V, L>,
  ): MailType<D, W, K> => {
    const variants = spec.variants ?? (["usual"] as const);
    return {
      kind: spec.kind,
      data: spec.data,
      variants,
      essential: spec.essential ?? [],
      samples: spec.samples,
      fill: (event, format) => ({
        variant: spec.variant?.(event.data) ?? variants[0],
        values: spec.values(event, format),
        links: spec.links?.(event.data) ?? {},
      }),
      content: (parts) => spec.content(parts as ContentParts<W, V, L, X>),
    };
  };
}
