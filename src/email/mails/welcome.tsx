import { Heading, Note, Paragraph } from "../templates/blocks.tsx";
import { line } from "./data-fields.ts";
import { defineMail, mailData } from "./mail-type.ts";

export interface WelcomeWords {
  subject(appName: string): string;
  heading(username: string): string;
  ready(appName: string): string;
  readonly noPassword: string;
  readonly unasked: string;
}

/** To somebody who signed in for the first time. */
export const welcome = defineMail<WelcomeWords>()({
  kind: "optional",
  data: mailData({ username: line(100) }),
  samples: () => ({ usual: { username: "ana" } }),
  values: ({ data }) => ({ username: data.username }),
  letter: ({ words, appName, values }) => ({
    subject: words.subject(appName),
    preheader: words.ready(appName),
    body: (
      <>
        <Heading>{words.heading(values.username)}</Heading>
        <Paragraph>{words.ready(appName)}</Paragraph>
        <Paragraph>{words.noPassword}</Paragraph>
        <Note>{words.unasked}</Note>
      </>
    ),
  }),
});
