import { Button, Fact, Facts, Heading, Note, Paragraph } from "../templates/blocks.tsx";
import { httpLink, line, time } from "./data-fields.ts";
import { defineMail, mailData } from "./mail-type.ts";

export interface EmailChangeWords {
  subject(appName: string): string;
  readonly heading: string;
  changed(appName: string): string;
  readonly newAddress: string;
  readonly time: string;
  readonly button: string;
  readonly unasked: string;
}

/** To the old address: the account has another one now. */
export const emailChange = defineMail<EmailChangeWords>()({
  kind: "transactional",
  data: mailData({
    /** As its owner may be told of it: `b***@example.com`. */
    new_email: line(320),
    changed_at: time,
    account_link: httpLink.optional(),
  }),
  essential: ["new_email"],
  samples: (now) => {
    const changed_at = new Date(now - 300_000).toISOString();
    const new_email = "b***@example.com";
    return {
      usual: { new_email, changed_at },
      linked: { new_email, changed_at, account_link: "https://example.com/account" },
    };
  },
  values: ({ data }, say) => ({
    new_email: data.new_email,
    changed_at: say.time(data.changed_at),
  }),
  links: ({ account_link }) => ({ account_link }),
  letter: ({ words, appName, values, links }) => ({
    subject: words.subject(appName),
    preheader: words.changed(appName),
    body: (
      <>
        <Heading>{words.heading}</Heading>
        <Paragraph>{words.changed(appName)}</Paragraph>
        <Facts>
          <Fact label={words.newAddress}>{values.new_email}</Fact>
          <Fact label={words.time}>{values.changed_at}</Fact>
        </Facts>
        {links.account_link !== undefined && (
          <Button href={links.account_link} label={words.button} />
        )}
        <Note>{words.unasked}</Note>
      </>
    ),
  }),
});
