import { htmlDocument } from "./html-document.ts";
import { Heading, Layout, Paragraph } from "./layout.tsx";
import type { Template } from "./template.ts";

const heading = "A new sign-in";
const unasked =
  "It wasn't you? Then end that session on your account page, and see who can read your mail.";

export const signInNotice: Template<"sign_in_notice"> = {
  render: ({ data }, { appName }) => {
    const device = data.device === undefined ? "" : ` on ${data.device}`;
    const body = `Somebody signed in to your ${appName} account${device}, at ${data.signed_in_at}.`;
    return {
      subject: `${heading} to ${appName}`,
      text: `${heading}\n\n${body}\n\n${unasked}\n\n${appName}\n`,
      html: htmlDocument(
        <Layout appName={appName} title={heading} preheader={body}>
          <Heading>{heading}</Heading>
          <Paragraph>{body}</Paragraph>
          <Paragraph soft>{unasked}</Paragraph>
        </Layout>,
      ),
    };
  },
};
