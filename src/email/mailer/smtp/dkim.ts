import type { KeyObject } from "node:crypto";
import { createPrivateKey, sign as signBytes } from "node:crypto";
import RelaxedBody from "nodemailer/lib/dkim/relaxed-body";
import sign from "nodemailer/lib/dkim/sign";
import type { ConfigProblem, ConfigValues } from "../../../core/config.ts";
import { setting } from "../../../core/config.ts";
import { foldPieces } from "./mime.ts";

/** The domain that signs; the public half of `key` is in DNS at selector._domainkey.domain. */
export interface DkimOptions {
  readonly domain: string;
  readonly selector: string;
  /** RSA; of 2048 bits, one signature costs 0.6 ms of a core. */
  readonly key: KeyObject;
}

/**
 * The signed fields: those that a mail program shows or acts on. List-Unsubscribe-Post counts only
 * when it is signed
 * (RFC 8058, 4). Must not contain fields that the provider removes.
 */
const signedFields =
  "From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:List-Unsubscribe:List-Unsubscribe-Post:Auto-Submitted:Feedback-ID";

/**
 * The message with a DKIM-Signature (RFC 6376, rsa-sha256, relaxed/relaxed) before its first field.
 * The canonical forms are nodemailer's, without its streams. Its signer would block the event loop
 * with RSA; here another thread signs. Takes a whole message that ends with CRLF.
 */
export async function signDkim(content: Buffer, options: DkimOptions): Promise<Buffer> {
  const headEnd = content.indexOf("\r\n\r\n");
  // Latin-1 keeps each byte as it is: an address in the header may be UTF-8.
  const lines = content
    .subarray(0, headEnd)
    .toString("latin1")
    .split(/\r\n(?![ \t])/);
  const fields = lines.map((line) => ({
    key: line.slice(0, line.indexOf(":")).toLowerCase(),
    line,
  }));
  const signed = sign.relaxedHeaders(fields, signedFields);
  const tags = [
    "v=1",
    "a=rsa-sha256",
    "c=relaxed/relaxed",
    `d=${options.domain}`,
    "q=dns/txt",
    `s=${options.selector}`,
    `bh=${bodyHash(content.subarray(headEnd + 4))}`,
  ];
  // White space is also allowed around the colons of h= (RFC 6376, 3.5).
  const names = `h=${signed.fieldNames};`.split(/(?<=:)/);
  const pieces = [
    ...tags.map((tag) => ` ${tag};`),
    ...names.map((name, at) => (at ? name : ` ${name}`)),
  ];
  const field = `${foldPieces("DKIM-Signature:", pieces)}\r\n b=`;
  const own = sign.relaxedHeaders([{ key: "dkim-signature", line: field }], "dkim-signature");
  const signature = await rsaSha256(signed.headers + own.headers.trimEnd(), options.key);
  const folded = signature.replace(/.{72}(?=.)/g, "$&\r\n ");
  return Buffer.concat([Buffer.from(`${field}${folded}\r\n`), content]);
}

function bodyHash(body: Buffer): string {
  const relaxed = new RelaxedBody({ hashAlgo: "sha256" });
  relaxed.updateHash(body, true);
  return relaxed.bodyHash.digest("base64");
}

function rsaSha256(latin1: string, key: KeyObject): Promise<string> {
  return new Promise((resolve, reject) => {
    signBytes("sha256", Buffer.from(latin1, "latin1"), key, (error, signature) => {
      if (error) reject(error);
      else resolve(signature.toString("base64"));
    });
  });
}

/** RFC 8301, 3.2: verifiers must not accept less. */
const keyBitsMin = 1024;

const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

/** For DKIM signing; all three or none. */
export const dkimFields = {
  dkimDomain: setting.pattern({
    name: "DKIM_DOMAIN",
    pattern: new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})+$`),
    shape: "a domain such as example.com, in ASCII",
    example: "example.com",
    doc: "The domain that signs every mail; it must belong to the same organization as SMTP_FROM's, or DMARC ignores it. Set all three DKIM_* if the server does not sign mails itself.",
  }),
  dkimSelector: setting.pattern({
    name: "DKIM_SELECTOR",
    pattern: new RegExp(`^(?=.{1,100}$)${label}(?:\\.${label})*$`),
    shape: "1 to 100 letters, digits, dashes and dots",
    example: "instant1",
    doc: "Which key of that domain: the public key is the TXT record at <selector>._domainkey.<domain>.",
  }),
  dkimPrivateKey: setting.secret({
    name: "DKIM_PRIVATE_KEY",
    doc: "The RSA key that signs, as PEM; `\\n` stands for a line break. 2048 bits are usual.",
  }),
} as const;

/**
 * Undefined: mails are not signed here. Settings that do not fit together are pushed to `problems`.
 */
export function resolveDkim(
  config: ConfigValues<typeof dkimFields>,
  problems: ConfigProblem[],
): DkimOptions | undefined {
  const { dkimDomain, dkimSelector, dkimPrivateKey } = config;
  const named = {
    DKIM_DOMAIN: dkimDomain,
    DKIM_SELECTOR: dkimSelector,
    DKIM_PRIVATE_KEY: dkimPrivateKey,
  };
  const missing = Object.entries(named).filter(([, value]) => value === undefined);
  if (missing.length === 3) return undefined;
  for (const [name] of missing) {
    problems.push({ name, problem: "must be set because another DKIM_* setting is" });
  }
  const key = dkimPrivateKey === undefined ? undefined : readKey(dkimPrivateKey, problems);
  if (dkimDomain === undefined || dkimSelector === undefined || key === undefined) return undefined;
  return { domain: dkimDomain.toLowerCase(), selector: dkimSelector, key };
}

function readKey(text: string, problems: ConfigProblem[]): KeyObject | undefined {
  const report = (problem: string) => problems.push({ name: "DKIM_PRIVATE_KEY", problem });
  try {
    const key = createPrivateKey(text.replaceAll("\\n", "\n"));
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (key.asymmetricKeyType !== "rsa") {
      report(`must be an RSA key, which every receiver can check; it is ${key.asymmetricKeyType}`);
    } else if (bits < keyBitsMin) {
      report(`must have at least ${keyBitsMin} bits, and has ${bits}: receivers ignore such keys`);
    } else return key;
  } catch {
    report("must be a private key in PEM form, without a passphrase (-----BEGIN PRIVATE KEY-----)");
  }
  return undefined;
}
