import type { ConfigProblem, ConfigValues } from "../../core/config.ts";
import { setting } from "../../core/config.ts";
import type { ErrorRow } from "../../core/errors.ts";

/** The logins for `POST /bounces` of serve-auth; disabled when none is set. */
export const bounceFields = {
  secret: setting.secret({
    name: "BOUNCE_SECRET",
    charsMin: 32,
    doc: "Key that signs bounce reports to POST /bounces. Unset: signed reports are not accepted.",
  }),
  postmarkUser: setting.text({
    name: "BOUNCE_POSTMARK_USER",
    charsMax: 100,
    example: "postmark",
    doc: "User name of Postmark's webhooks for POST /bounces; needs BOUNCE_POSTMARK_PASSWORD. Unset: Postmark's reports are not accepted.",
  }),
  postmarkPassword: setting.secret({
    name: "BOUNCE_POSTMARK_PASSWORD",
    charsMin: 16,
    doc: "The password, with BOUNCE_POSTMARK_USER.",
  }),
} as const;

type BounceValues = ConfigValues<typeof bounceFields>;

export function checkBounces({ postmarkUser, postmarkPassword }: BounceValues): ConfigProblem[] {
  if ((postmarkUser === undefined) !== (postmarkPassword === undefined)) {
    const [user, password] = ["BOUNCE_POSTMARK_USER", "BOUNCE_POSTMARK_PASSWORD"];
    const [name, other] = postmarkUser === undefined ? [user, password] : [password, user];
    return [{ name, problem: `is required with ${other}` }];
  }
  if (postmarkUser?.includes(":") === true) {
    return [{ name: "BOUNCE_POSTMARK_USER", problem: "must not contain a colon" }]; // RFC 7617
  }
  return [];
}

export interface BounceReporters {
  readonly secret: string | undefined;
  readonly postmark: { readonly user: string; readonly password: string } | undefined;
}

/** Undefined when reports are disabled. */
export function resolveBounces(values: BounceValues): BounceReporters | undefined {
  const { secret, postmarkUser: user, postmarkPassword: password } = values;
  const postmark = user === undefined || password === undefined ? undefined : { user, password };
  return secret === undefined && postmark === undefined ? undefined : { secret, postmark };
}

export const bounceErrors = {
  reporterUnknown: {
    code: "reporter_unknown",
    meaning: "The report lacks a valid signature or login",
    retryable: false,
    status: 401,
  },
  tooManyAttempts: {
    code: "too_many_reporter_attempts",
    meaning: "Too many wrong logins to report bounces",
    retryable: true,
    status: 429,
  },
} as const satisfies Record<string, ErrorRow>;
