import { htmlDocument } from "./html-document.ts";
import { Heading, Layout, Paragraph } from "./layout.tsx";
import { remainingWords } from "./remaining.ts";
import type { Template } from "./template.ts";

const headings = {
  sign_in: "Your sign-in code",
  change_email: "Confirm your new address",
  delete_account: "Confirm the deletion of your account",
} as const;

const unasked =
  "You didn't ask for this? Then somebody may have typed your address by mistake: you can ignore this mail. Never give the code to anyone.";

export const verificationCode: Template<"verification_code"> = {
  render: ({ data, expiresAt }, { appName, now }) => {
    const heading = headings[data.purpose ?? "sign_in"];
    const validity = `It is valid for ${remainingWords(expiresAt, now)} and can be used once.`;
    return {
      subject: `${heading} for ${appName}`,
      text: `${heading}\n\n${data.code}\n\nEnter this code where you were asked for it. ${validity}\n\n${unasked}\n\n${appName}\n`,
      html: htmlDocument(
        <Layout appName={appName} title={heading} preheader={`${heading}. ${validity}`}>
          <Heading>{heading}</Heading>
          <Paragraph>Enter this code where you were asked for it.</Paragraph>
          <p
            class="code"
            style="margin:0 0 16px;padding:20px 0;border-radius:8px;background:#f0f2f7;color:#14161a;font-family:'SF Mono',Menlo,Consolas,monospace;font-size:34px;font-weight:600;letter-spacing:8px;text-align:center"
          >
            {data.code}
          </p>
          <Paragraph>{validity}</Paragraph>
          <Paragraph soft>{unasked}</Paragraph>
        </Layout>,
      ),
    };
  },
};
