import { Button, Heading, Note, Paragraph } from "../templates/blocks.tsx";
import { expiresIn, httpLink } from "./data-fields.ts";
import { defineMail, mailData } from "./mail-type.ts";

export interface PasswordResetWords {
  subject(appName: string): string;
  readonly heading: string;
  choose(appName: string): string;
  readonly button: string;
  validity(remaining: string): string;
  readonly unasked: string;
}

/** For services whose users have passwords: the link to choose a new one. */
export const passwordReset = defineMail<PasswordResetWords>()({
  kind: "transactional",
  data: mailData({ reset_link: httpLink, expires_in: expiresIn.optional() }),
  essential: ["reset_link"],
  samples: () => ({
    usual: { reset_link: "https://example.com/reset/2f9c41d07be8", expires_in: "1h" },
    endless: { reset_link: "https://example.com/reset/2f9c41d07be8" },
  }),
  values: ({ expiresAt, now }, say) => ({
    remaining: expiresAt === undefined ? undefined : say.remaining(expiresAt, now),
  }),
  links: ({ reset_link }) => ({ reset_link }),
  letter: ({ words, appName, values, links }) => ({
    subject: words.subject(appName),
    preheader: words.choose(appName),
    body: (
      <>
        <Heading>{words.heading}</Heading>
        <Paragraph>{words.choose(appName)}</Paragraph>
        <Button href={links.reset_link} label={words.button} />
        {values.remaining !== undefined && (
          <Paragraph>{words.validity(values.remaining)}</Paragraph>
        )}
        <Note>{words.unasked}</Note>
      </>
    ),
  }),
});
