import { z } from "zod";
import { addressProblem, parseEmailAddress } from "../email-address.ts";

/** A field of a request that has an address: as its canonical form, or 422 with what is wrong. */
export const addressField = z
  .string()
  .max(320)
  .transform((text, context) => {
    const address = parseEmailAddress(text);
    if (address !== undefined) return address;
    context.addIssue(addressProblem(text));
    return z.NEVER;
  });
