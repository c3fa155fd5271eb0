import { z } from "zod";

const bound =
  "1 to 32 letters of a to z, digits, dots, dashes and underscores, beginning and ending with a letter or digit";

/**
 * ASCII alone, so that no two names look the same; kept as written, compared in lower case.
 */
export const usernameSchema = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?$/, `must be ${bound}`);

/** The form in which usernames are compared. */
export function usernameKeyOf(username: string): string {
  return username.toLowerCase();
}
