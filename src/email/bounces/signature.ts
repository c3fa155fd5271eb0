import { equalConstantTime, equalSecret } from "../../core/secret.ts";

export const timestampHeader = "X-Bounce-Timestamp";
export const signatureHeader = "X-Bounce-Signature";

/** How far the sender's clock may be from ours, and so how long a report can be sent again. */
const toleranceSeconds = 300;

export interface SignedReport {
  /** Unix seconds, as the header has it. */
  readonly timestamp: string;
  /** "v1=<hex>" of the HMAC-SHA-256 over `<timestamp>.<body>`. */
  readonly signature: string;
  readonly body: Uint8Array;
}

/** The body as it came over the wire is what is signed: parsed and printed again it may differ. */
export function signReport(secret: string, timestamp: string, body: Uint8Array): string {
  const hasher = new Bun.CryptoHasher("sha256", secret);
  return `v1=${hasher.update(`${timestamp}.`).update(body).digest("hex")}`;
}

export function isSignedNow(secret: string, report: SignedReport, now: number): boolean {
  const { timestamp, signature, body } = report;
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  const age = Math.abs(now / 1000 - Number(timestamp));
  return (
    equalConstantTime(signReport(secret, timestamp, body), signature) && age <= toleranceSeconds
  );
}

/** `Authorization: Basic …` (RFC 7617) of this user, compared without telling how much fits. */
export function isBasicLogin(
  header: string,
  { user, password }: { readonly user: string; readonly password: string },
): boolean {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,8000})$/i.exec(header)?.[1] ?? "";
  const given = Buffer.from(encoded, "base64").toString("utf8");
  return equalSecret(given, `${user}:${password}`);
}
