import { htmlDocument } from "./html-document.ts";
import { Heading, Layout, Paragraph } from "./layout.tsx";
import type { Template } from "./template.ts";

const heading = "Your address was changed";
const unasked =
  "You didn't ask for this? Then somebody else may be in your account: answer this mail at once.";

export const emailChange: Template<"email_change"> = {
  render: ({ data }, { appName }) => {
    const body = `Your ${appName} account belongs to ${data.new_email} now. Mails no longer come here.`;
    const when = `Changed at ${data.changed_at}.`;
    return {
      subject: `${heading} at ${appName}`,
      text: `${heading}\n\n${body}\n\n${when}\n\n${unasked}\n\n${appName}\n`,
      html: htmlDocument(
        <Layout appName={appName} title={heading} preheader={body}>
          <Heading>{heading}</Heading>
          <Paragraph>{body}</Paragraph>
          <Paragraph>{when}</Paragraph>
          <Paragraph soft>{unasked}</Paragraph>
        </Layout>,
      ),
    };
  },
};
