import type { KeyObject } from "node:crypto";
import { sign as signBytes } from "node:crypto";
import RelaxedBody from "nodemailer/lib/dkim/relaxed-body";
import sign from "nodemailer/lib/dkim/sign";
import { foldPieces } from "./fold.ts";

/** Who vouches for the mails: the public half of `key` stands in DNS at selector._domainkey.domain. */
export interface DkimOptions {
  readonly domain: string;
  readonly selector: string;
  /** RSA; of 2048 bits, one signature costs 0.6 ms of a core. */
  readonly key: KeyObject;
}

/**
 * What a mail program shows or acts on. List-Unsubscribe-Post counts only when it is signed
 * (RFC 8058, 4). Fields for the provider alone, which it takes out, must not be among them.
 */
const signedFields =
  "From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:List-Unsubscribe:List-Unsubscribe-Post:Auto-Submitted:Feedback-ID";

/**
 * The message with a DKIM-Signature (RFC 6376, rsa-sha256, relaxed/relaxed) before its first field.
 * The canonical forms are nodemailer's own, without its streams; its signer would make RSA block the
 * event loop, here another thread computes it. Takes a whole message with CRLF at its end.
 */
export async function signDkim(content: Buffer, options: DkimOptions): Promise<Buffer> {
  const headEnd = content.indexOf("\r\n\r\n");
  // Latin-1, so that each byte stays itself: an address in the header may be UTF-8.
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
  // Beside the tags, white space may stand around the colons of h= (RFC 6376, 3.5).
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
