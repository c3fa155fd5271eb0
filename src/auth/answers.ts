import { z } from "zod";

const time = (description: string) =>
  z.string().meta({ format: "date-time", description, examples: ["2026-01-31T12:00:00.000Z"] });

/** What the API answers, as its document describes it. Times in RFC 3339. */
export const userAnswer = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    email: z.string().meta({ format: "email" }),
    username: z.string().nullable().meta({ description: "Null until it is chosen." }),
    created_at: time("The first sign-in."),
    last_sign_in_at: time("The newest sign-in."),
  })
  .meta({ id: "User", description: "A person who signed in." });

const sessionFields = {
  id: z.string().meta({ description: "Names the session; it opens nothing." }),
  device: z.string().meta({ description: "For people.", examples: ["Firefox on Windows"] }),
  created_at: time("The sign-in."),
  last_used_at: time("The last use, to the minute."),
};

export const sessionAnswer = z
  .object({ ...sessionFields, current: z.boolean().meta({ description: "Of this request." }) })
  .meta({ id: "Session", description: "A place where somebody is signed in." });

export const signedInAnswer = z
  .object({
    token: z.string().meta({ description: "For `Authorization: Bearer`; shown once." }),
    user: userAnswer,
  })
  .meta({ id: "SignedIn" });

export const currentSessionAnswer = z
  .object({
    user: userAnswer,
    session: z.object({
      ...sessionFields,
      expires_at: time("When it ends if it is not used any more."),
    }),
  })
  .meta({ id: "CurrentSession", description: "Who is signed in, and by which session." });

export const sessionsAnswer = z
  .object({ sessions: z.array(sessionAnswer).meta({ description: "The one used last first." }) })
  .meta({ id: "Sessions" });

export const revokedAnswer = z
  .object({ revoked: z.int().min(0).meta({ description: "How many sessions were ended." }) })
  .meta({ id: "Revoked" });

export const messageAnswer = z
  .object({ message: z.string().meta({ examples: ["verification code sent to your email"] }) })
  .meta({ id: "Message" });
