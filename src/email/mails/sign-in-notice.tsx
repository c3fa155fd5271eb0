import { Button, Fact, Facts, Heading, Note, Paragraph } from "../templates/blocks.tsx";
import { httpLink, line, time } from "./data-fields.ts";
import { defineMail, mailData } from "./mail-type.ts";

export interface SignInNoticeWords {
  subject(appName: string): string;
  readonly heading: string;
  somebody(appName: string): string;
  readonly time: string;
  readonly device: string;
  readonly button: string;
  readonly unasked: string;
}

/** Tells somebody that the account was signed in to. */
export const signInNotice = defineMail<SignInNoticeWords>()({
  kind: "optional",
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
      bare: { signed_in_at },
    };
  },
  values: ({ data }, say) => ({
    signed_in_at: say.time(data.signed_in_at),
    device: data.device,
  }),
  links: ({ account_link }) => ({ account_link }),
  letter: ({ words, appName, values, links }) => ({
    subject: words.subject(appName),
    preheader: words.somebody(appName),
    body: (
      <>
        <Heading>{words.heading}</Heading>
        <Paragraph>{words.somebody(appName)}</Paragraph>
        <Facts>
          <Fact label={words.time}>{values.signed_in_at}</Fact>
          {values.device !== undefined && <Fact label={words.device}>{values.device}</Fact>}
        </Facts>
        {links.account_link !== undefined && (
          <Button href={links.account_link} label={words.button} />
        )}
        <Note>{words.unasked}</Note>
      </>
    ),
  }),
});
