import { htmlDocument } from "./html-document.ts";
import { Button, Heading, Layout, Paragraph } from "./layout.tsx";
import { remainingWords } from "./remaining.ts";
import type { Template } from "./template.ts";

const heading = "Reset your password";
const unasked = "You didn't ask for this? Then ignore this mail: your password stays as it is.";

export const passwordReset: Template<"password_reset"> = {
  render: ({ data, expiresAt }, { appName, now }) => {
    const body = `Choose a new password for ${appName}.`;
    const validity =
      expiresAt === undefined ? "" : `The link is valid for ${remainingWords(expiresAt, now)}.`;
    return {
      subject: `${heading} for ${appName}`,
      text: [heading, body, data.reset_link, validity, unasked, appName]
        .filter((paragraph) => paragraph !== "")
        .join("\n\n")
        .concat("\n"),
      html: htmlDocument(
        <Layout appName={appName} title={heading} preheader={body}>
          <Heading>{heading}</Heading>
          <Paragraph>{body}</Paragraph>
          <Button href={data.reset_link} label="Choose a new password" />
          {validity !== "" && <Paragraph>{validity}</Paragraph>}
          <Paragraph soft>{unasked}</Paragraph>
        </Layout>,
      ),
    };
  },
};
