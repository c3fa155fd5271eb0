import { secretField } from "../../core/config/field.ts";

/** Settings of serve-email's pages for operators. */
export const opsFields = {
  token: secretField({
    name: "OPS_TOKEN",
    charsMin: 16,
    doc: "Opens serve-email's pages for operators: typed on their login page, or sent as Authorization: Bearer. Unset: they are shown to this machine alone, under a loopback name.",
  }),
} as const;
