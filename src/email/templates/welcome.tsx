import { htmlDocument } from "./html-document.ts";
import { Heading, Layout, Paragraph } from "./layout.tsx";
import type { Template } from "./template.ts";

export const welcome: Template<"welcome"> = {
  render: ({ data }, { appName }) => {
    const heading = `Welcome, ${data.username}`;
    const body = `Your ${appName} account is ready. There is no password to remember: whenever you sign in, we send you a code.`;
    return {
      subject: `Welcome to ${appName}`,
      text: `${heading}\n\n${body}\n\n${appName}\n`,
      html: htmlDocument(
        <Layout appName={appName} title={heading} preheader={body}>
          <Heading>{heading}</Heading>
          <Paragraph>{body}</Paragraph>
        </Layout>,
      ),
    };
  },
};
