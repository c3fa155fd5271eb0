// Checks whether the pages of CORS_ORIGINS can use the session's cookie.
import { isIP } from "node:net";
import type { Diagnosis } from "../core/diagnosis.ts";

interface Origins {
  readonly publicOrigin: string | undefined;
  readonly corsOrigins: readonly string[];
}

/**
 * Warns of origins on another site than PUBLIC_URL. The cookie is `SameSite=Lax`: in calls from the
 * pages of another site browsers neither send nor keep it, whatever CORS allows.
 */
export function diagnoseOrigins(
  { publicOrigin, corsOrigins }: Origins,
  diagnosis: Diagnosis,
): void {
  if (publicOrigin === undefined) return;
  const site = siteOf(publicOrigin);
  for (const origin of corsOrigins.filter((each) => siteOf(each) !== site)) {
    const text = `${origin} in CORS_ORIGINS is on another site than PUBLIC_URL: browsers neither keep nor send the session's cookie in its calls`;
    const fix = `Serve its pages under ${site}, or let them send the token as Authorization: Bearer`;
    diagnosis.warn("setup.cors_site", text, fix);
  }
}

/**
 * Suffixes of two labels under which anybody gets a name: those of countries, and of large hosts of
 * pages. The whole Public Suffix List has thousands; a missing one only costs the warning.
 */
const sharedSuffix =
  /^(?:(?:ac|co|com|edu|go|gob|gov|gv|ne|net|or|org)\.[a-z]{2}|(?:github|gitlab)\.io|(?:pages|workers)\.dev|(?:vercel|netlify|web|ondigitalocean)\.app|(?:herokuapp|onrender|firebaseapp)\.com|fly\.dev|cloudfront\.net|azurewebsites\.net)$/;

/** The scheme and the registrable domain ("https://example.com"), as `SameSite` compares them. */
function siteOf(origin: string): string {
  const { protocol, hostname } = new URL(origin);
  const labels = hostname.split(".");
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
  const count = sharedSuffix.test(labels.slice(-2).join(".")) ? 3 : 2;
  return `${protocol}//${isAddress ? hostname : labels.slice(-count).join(".")}`;
}
