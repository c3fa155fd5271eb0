import type { EmailContent, EventType } from "./event.ts";

type SampleData = { readonly [T in EventType]: Extract<EmailContent, { eventType: T }>["data"] };

/** The code of the sample: nobody signs in with it. */
export const sampleCode = "246813";

/** Data for a mail of each type that somebody wants to look at; a type without does not compile. */
export function sampleData(now: number): SampleData {
  const minutesAgo = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
  return {
    verification_code: { code: sampleCode, expires_in: "10m" },
    welcome: { username: "ana" },
    password_reset: { reset_link: "https://example.com/reset/sample", expires_in: "1h" },
    sign_in_notice: { signed_in_at: minutesAgo(2), device: "Firefox on Linux" },
    email_change: { new_email: "b***@example.com", changed_at: minutesAgo(5) },
  };
}
