import { z } from "zod";
import { shownAddress } from "../../core/shown-address.ts";
import { Button, Code, Fact, Facts, Heading, Note, Paragraph } from "../templates/layout.tsx";
import type { MailType } from "./mail-type.ts";
import { defineMail, expiresIn, httpLink, line, mailData, time } from "./mail-type.ts";

/**
 * Every type of mail. A new one is added here: its messages, its data with samples, its content,
 * and a row in `mailTypes`. The compiler then requires its messages in each language; the preview,
 * the decoder and the golden files are derived from the row. See docs/adding-a-mail.md.
 */

const purposes = ["sign_in", "change_email", "leave_email", "delete_account"] as const;
type Purpose = (typeof purposes)[number];

/** The code of all samples; it is never valid. */
export const sampleCode = "246813";

const codeSample = (purpose: Purpose) => ({ code: sampleCode, expires_in: "10m", purpose });

interface VerificationCodeMessages {
  readonly headings: Readonly<Record<Purpose, string>>;
  subject(heading: string, appName: string): string;
  subjectWithCode(code: string, heading: string, appName: string): string;
  readonly enter: string;
  validity(remaining: string): string;
  readonly unrequested: Readonly<Record<Purpose, string>>;
}

/** A requested code, with its purpose and how long it is valid. */
const verificationCode = defineMail<VerificationCodeMessages>()({
  kind: "transactional",
  data: mailData({
    code: z.string().regex(/^[A-Za-z0-9-]{4,12}$/, "must be 4 to 12 letters, digits or dashes"),
    expires_in: expiresIn,
    purpose: z.enum(purposes, { error: `must be one of ${purposes.join(", ")}` }).optional(),
  }),
  essential: ["code"],
  variants: purposes,
  samples: () => ({
    sign_in: codeSample("sign_in"),
    change_email: codeSample("change_email"),
    leave_email: codeSample("leave_email"),
    delete_account: codeSample("delete_account"),
  }),
  variant: ({ purpose }) => purpose ?? "sign_in",
  values: ({ data, expiresAt, now }, format) => ({
    code: data.code,
    remaining: expiresAt === undefined ? undefined : format.remaining(expiresAt, now),
  }),
  content: ({ messages, appName, values, variant, codeInSubject }) => {
    const heading = messages.headings[variant];
    const validity = values.remaining === undefined ? "" : messages.validity(values.remaining);
    return {
      subject: codeInSubject
        ? messages.subjectWithCode(values.code, heading, appName)
        : messages.subject(heading, appName),
      preheader: `${messages.enter} ${validity}`,
      body: (
        <>
          <Heading>{heading}</Heading>
          <Paragraph>{messages.enter}</Paragraph>
          <Code>{values.code}</Code>
          {validity !== "" && <Paragraph>{validity}</Paragraph>}
          <Note>{messages.unrequested[variant]}</Note>
        </>
      ),
    };
  },
});

interface WelcomeMessages {
  subject(appName: string): string;
  heading(username: string): string;
  ready(appName: string): string;
  readonly noPassword: string;
  readonly unrequested: string;
}

/** Sent after the first sign-in. */
const welcome = defineMail<WelcomeMessages>()({
  kind: "optional",
  data: mailData({ username: line(100) }),
  samples: () => ({ usual: { username: "ana" } }),
  values: ({ data }) => ({ username: data.username }),
  content: ({ messages, appName, values }) => ({
    subject: messages.subject(appName),
    preheader: messages.ready(appName),
    body: (
      <>
        <Heading>{messages.heading(values.username)}</Heading>
        <Paragraph>{messages.ready(appName)}</Paragraph>
        <Paragraph>{messages.noPassword}</Paragraph>
        <Note>{messages.unrequested}</Note>
      </>
    ),
  }),
});

interface SignInNoticeMessages {
  subject(appName: string): string;
  readonly heading: string;
  signedIn(appName: string): string;
  readonly time: string;
  readonly device: string;
  readonly button: string;
  readonly unrequested: string;
}

/** Sent after a sign-in on a device that is not known. */
const signInNotice = defineMail<SignInNoticeMessages>()({
  kind: "transactional",
  data: mailData({
    signed_in_at: time,
    device: line(100).optional(),
    account_link: httpLink.optional(),
  }),
  essential: ["signed_in_at"],
  samples: (now) => {
    const signed_in_at = new Date(now - 120_000).toISOString();
    const account_link = "https://example.com/account";
    return {
      usual: { signed_in_at, device: "Firefox on Linux", account_link },
      minimal: { signed_in_at },
    };
  },
  values: ({ data }, format) => ({
    signed_in_at: format.time(data.signed_in_at),
    device: data.device,
  }),
  links: ({ account_link }) => ({ account_link }),
  content: ({ messages, appName, values, links }) => ({
    subject: messages.subject(appName),
    preheader: messages.signedIn(appName),
    body: (
      <>
        <Heading>{messages.heading}</Heading>
        <Paragraph>{messages.signedIn(appName)}</Paragraph>
        <Facts>
          <Fact label={messages.time}>{values.signed_in_at}</Fact>
          {values.device !== undefined && <Fact label={messages.device}>{values.device}</Fact>}
        </Facts>
        {links.account_link !== undefined && (
          <Button href={links.account_link} label={messages.button} />
        )}
        <Note>{messages.unrequested}</Note>
      </>
    ),
  }),
});

interface EmailChangeMessages {
  subject(appName: string): string;
  readonly heading: string;
  changed(appName: string): string;
  readonly newAddress: string;
  readonly time: string;
  readonly button: string;
  readonly unrequested: string;
  undoable(until: string): string;
  readonly undo: string;
}

/** Sent to the old address after the account's address was changed. */
const emailChange = defineMail<EmailChangeMessages>()({
  kind: "transactional",
  data: mailData({
    /** Masked: `b***@example.com`. */
    new_email: line(320),
    changed_at: time,
    account_link: httpLink.optional(),
    undo_link: httpLink.optional(),
    undo_until: time.optional(),
  }),
  essential: ["new_email", "undo_link"],
  samples: (now) => {
    const changed_at = new Date(now - 300_000).toISOString();
    const new_email = "b***@example.com";
    const undo_link = "https://example.com/account/email/undo/2f9c41d07be8";
    const undo_until = new Date(now + 258_900_000).toISOString();
    return {
      usual: { new_email, changed_at, undo_link, undo_until },
      linked: { new_email, changed_at, account_link: "https://example.com/account" },
      minimal: { new_email, changed_at },
    };
  },
  values: ({ data }, format) => ({
    new_email: shownAddress(data.new_email),
    changed_at: format.time(data.changed_at),
    undo_until: data.undo_until === undefined ? undefined : format.time(data.undo_until),
  }),
  links: ({ account_link, undo_link }) => ({ account_link, undo_link }),
  content: ({ messages, appName, values, links }) => ({
    subject: messages.subject(appName),
    preheader: messages.changed(appName),
    body: (
      <>
        <Heading>{messages.heading}</Heading>
        <Paragraph>{messages.changed(appName)}</Paragraph>
        <Facts>
          <Fact label={messages.newAddress}>{values.new_email}</Fact>
          <Fact label={messages.time}>{values.changed_at}</Fact>
        </Facts>
        {links.account_link !== undefined && (
          <Button href={links.account_link} label={messages.button} />
        )}
        {links.undo_link !== undefined && values.undo_until !== undefined ? (
          <>
            <Paragraph>{messages.undoable(values.undo_until)}</Paragraph>
            <Button href={links.undo_link} label={messages.undo} />
          </>
        ) : (
          <Note>{messages.unrequested}</Note>
        )}
      </>
    ),
  }),
});

interface AccountDeletedMessages {
  subject(appName: string): string;
  readonly heading: string;
  deleted(appName: string): string;
  readonly time: string;
  readonly unrequested: string;
}

/** Sent to the address of an account that was deleted. */
const accountDeleted = defineMail<AccountDeletedMessages>()({
  kind: "transactional",
  data: mailData({ deleted_at: time }),
  samples: (now) => ({ usual: { deleted_at: new Date(now - 120_000).toISOString() } }),
  values: ({ data }, format) => ({ deleted_at: format.time(data.deleted_at) }),
  content: ({ messages, appName, values }) => ({
    subject: messages.subject(appName),
    preheader: messages.deleted(appName),
    body: (
      <>
        <Heading>{messages.heading}</Heading>
        <Paragraph>{messages.deleted(appName)}</Paragraph>
        <Facts>
          <Fact label={messages.time}>{values.deleted_at}</Fact>
        </Facts>
        <Note>{messages.unrequested}</Note>
      </>
    ),
  }),
});

interface PasswordResetMessages {
  subject(appName: string): string;
  readonly heading: string;
  choose(appName: string): string;
  readonly button: string;
  validity(remaining: string): string;
  readonly unrequested: string;
}

/** For services with passwords: the link to choose a new one. */
const passwordReset = defineMail<PasswordResetMessages>()({
  kind: "transactional",
  data: mailData({ reset_link: httpLink, expires_in: expiresIn.optional() }),
  essential: ["reset_link"],
  samples: () => ({
    usual: { reset_link: "https://example.com/reset/2f9c41d07be8", expires_in: "1h" },
    no_expiry: { reset_link: "https://example.com/reset/2f9c41d07be8" },
  }),
  values: ({ expiresAt, now }, format) => ({
    remaining: expiresAt === undefined ? undefined : format.remaining(expiresAt, now),
  }),
  links: ({ reset_link }) => ({ reset_link }),
  content: ({ messages, appName, values, links }) => ({
    subject: messages.subject(appName),
    preheader: messages.choose(appName),
    body: (
      <>
        <Heading>{messages.heading}</Heading>
        <Paragraph>{messages.choose(appName)}</Paragraph>
        <Button href={links.reset_link} label={messages.button} />
        {values.remaining !== undefined && (
          <Paragraph>{messages.validity(values.remaining)}</Paragraph>
        )}
        <Note>{messages.unrequested}</Note>
      </>
    ),
  }),
});

/** The event types, by their names on the wire. */
export const mailTypes = {
  verification_code: verificationCode,
  welcome,
  password_reset: passwordReset,
  sign_in_notice: signInNotice,
  email_change: emailChange,
  account_deleted: accountDeleted,
} as const satisfies Readonly<Record<string, MailType>>;

type MailTypes = typeof mailTypes;

/** Mails that their recipients may decline, by a link in each of them. */
export type OptionalType = {
  readonly [T in keyof MailTypes]: MailTypes[T]["kind"] extends "optional" ? T : never;
}[keyof MailTypes];

export type EventType = keyof MailTypes;
export type DataOf<T extends EventType> = z.infer<MailTypes[T]["data"]>;
type MessagesOf<T extends EventType> =
  MailTypes[T] extends MailType<z.ZodObject, infer Messages> ? Messages : never;

/** The messages of the preferences page. */
interface PreferencesMessages {
  readonly title: string;
  lead(appName: string): string;
  readonly types: Readonly<Record<OptionalType, TitledText>>;
  /** The title of a type, in a sentence. */
  nameOf(title: string): string;
  /** All types, in a sentence. */
  readonly all: string;
  unsubscribe(name: string): string;
  readonly choose: string;
  readonly save: string;
  readonly always: string;
  unsubscribed(name: string): string;
  readonly saved: string;
  /** Why nothing was done. */
  readonly old: TitledText;
  readonly mandatory: TitledText;
  readonly forged: TitledText;
  readonly unclear: TitledText;
  readonly unavailable: TitledText;
}

interface TitledText {
  readonly title: string;
  readonly text: string;
}

/**
 * All messages of mails, and of the page where people choose them, in one language: a file in
 * `templates/languages`. One that lacks a message does not compile.
 */
export interface LanguageMessages {
  /** Used when so little time is left that a number would be wrong when read. */
  readonly aMoment: string;
  /** Between a link's label and its address, in the text part. */
  readonly colon: string;
  /** The footer with the recipient. */
  sentTo(recipient: string, appName: string): string;
  readonly unsubscribe: string;
  readonly mails: { readonly [T in EventType]: MessagesOf<T> };
  readonly preferences: PreferencesMessages;
}

export const eventTypes = Object.keys(mailTypes) as readonly EventType[];

export function listEventTypes(): readonly EventType[] {
  return eventTypes;
}

export function isEventType(text: string): text is EventType {
  return Object.hasOwn(mailTypes, text);
}

interface NamedSample {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The samples of a type, the usual case first. */
export function samplesOf(type: EventType, now: number): readonly NamedSample[] {
  const mailType: MailType = mailTypes[type];
  return Object.entries(mailType.samples(now)).map(([name, data]) => ({ name, data }));
}

/** The usual case. */
export function sampleData(type: EventType, now: number): NamedSample["data"] {
  return samplesOf(type, now)[0]?.data ?? {};
}
