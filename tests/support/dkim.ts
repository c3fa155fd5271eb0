import { generateKeyPairSync } from "node:crypto";
import { dkimVerify } from "mailauth/lib/dkim/verify";
import type { DkimOptions } from "../../src/email/mailer/smtp/dkim.ts";

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicKey = pair.publicKey.export({ type: "spki", format: "der" }).toString("base64");

/** A key of the test's own, and the PEM as an operator would set it. */
export const testDkim: DkimOptions = {
  domain: "example.com",
  selector: "test1",
  key: pair.privateKey,
};
export const testDkimPem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

interface VerifiedSignature {
  /** "pass", "fail", "neutral", … (RFC 8601). */
  readonly result: string;
  readonly comment: string | undefined;
  readonly domain: string | undefined;
  /** Names of the signed fields, in lower case. */
  readonly fields: readonly string[];
}

const testRecord = {
  name: `${testDkim.selector}._domainkey.${testDkim.domain}`,
  record: `v=DKIM1; k=rsa; p=${publicKey}`,
};

/** Each signature of a mail as mailauth judges it, with this record (the test's key) in its DNS. */
export async function verifyDkim(
  mail: Buffer | string,
  dns: { readonly name: string; readonly record: string } = testRecord,
): Promise<readonly VerifiedSignature[]> {
  const resolver = async (name: string, type: string) => {
    if (type === "TXT" && name === dns.name) return [[dns.record]];
    throw Object.assign(new Error(`no ${type} at ${name}`), { code: "ENOTFOUND" });
  };
  const { results } = await dkimVerify(mail, { resolver, strict: true });
  return results.map(({ status, signingDomain, signingHeaders }) => ({
    result: status.result,
    comment: status.comment ?? undefined,
    domain: signingDomain,
    fields: (signingHeaders?.keys ?? "").toLowerCase().split(/\s*:\s*/),
  }));
}
