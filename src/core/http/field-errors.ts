import type { z } from "zod";
import type { FieldError } from "./problem.ts";

const fieldErrorsMax = 20;

/** What does not fit, as sentences that follow the field's name: "email", "must be text". */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, fieldErrorsMax).map((issue) => ({
    field: issue.path.map(String).join(".").slice(0, 200),
    message: describeIssue(issue),
  }));
}

type Issue = z.ZodError["issues"][number];

function describeIssue(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is required";
      return isZods(issue.message) ? `must be ${nameOfType(issue.expected)}` : issue.message;
    case "too_big":
      return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
    case "too_small":
      return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
    default:
      return issue.message; // the schema's own words
  }
}

/** A schema without a sentence of its own for another type. */
function isZods(message: string): boolean {
  return message.startsWith("Invalid input");
}

function nameOfType(type: string): string {
  if (type === "string") return "text";
  if (type === "object" || type === "record") return "a JSON object";
  if (type === "boolean") return "true or false";
  return `a ${type}`;
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters long";
  return origin === "array" ? " items long" : "";
}
