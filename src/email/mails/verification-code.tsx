import { z } from "zod";
import { Code, Heading, Note, Paragraph } from "../templates/blocks.tsx";
import { expiresIn } from "./data-fields.ts";
import { defineMail, mailData } from "./mail-type.ts";

/** The code of the samples: nobody signs in with it. */
export const sampleCode = "246813";

const sample = (purpose: Purpose) => ({ code: sampleCode, expires_in: "10m", purpose });

const purposes = ["sign_in", "change_email", "delete_account"] as const;
type Purpose = (typeof purposes)[number];

export interface VerificationCodeWords {
  readonly headings: Readonly<Record<Purpose, string>>;
  subject(heading: string, appName: string): string;
  subjectWithCode(code: string, heading: string, appName: string): string;
  readonly enter: string;
  validity(remaining: string): string;
  readonly unasked: Readonly<Record<Purpose, string>>;
}

/** The code that somebody asked for, with what it is for and how long it is good. */
export const verificationCode = defineMail<VerificationCodeWords>()({
  kind: "transactional",
  data: mailData({
    code: z.string().regex(/^[A-Za-z0-9-]{4,12}$/, "must be 4 to 12 letters, digits or dashes"),
    expires_in: expiresIn,
    purpose: z.enum(purposes, { error: `must be one of ${purposes.join(", ")}` }).optional(),
  }),
  essential: ["code"],
  variants: purposes,
  samples: () => ({
    sign_in: sample("sign_in"),
    change_email: sample("change_email"),
    delete_account: sample("delete_account"),
  }),
  variant: ({ purpose }) => purpose ?? "sign_in",
  values: ({ data, expiresAt, now }, say) => ({
    code: data.code,
    remaining: expiresAt === undefined ? undefined : say.remaining(expiresAt, now),
  }),
  letter: ({ words, appName, values, variant, codeInSubject }) => {
    const heading = words.headings[variant];
    const validity = values.remaining === undefined ? "" : words.validity(values.remaining);
    return {
      subject: codeInSubject
        ? words.subjectWithCode(values.code, heading, appName)
        : words.subject(heading, appName),
      preheader: `${words.enter} ${validity}`,
      body: (
        <>
          <Heading>{heading}</Heading>
          <Paragraph>{words.enter}</Paragraph>
          <Code>{values.code}</Code>
          {validity !== "" && <Paragraph>{validity}</Paragraph>}
          <Note>{words.unasked[variant]}</Note>
        </>
      ),
    };
  },
});
