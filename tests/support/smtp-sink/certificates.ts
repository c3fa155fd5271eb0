import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../temporary-directory.ts";

export interface ServerCertificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface TestCertificates {
  /** The authority that signed all of them, PEM. */
  readonly authority: string;
  /** For localhost and 127.0.0.1. */
  readonly good: ServerCertificate;
  /** For another name. */
  readonly otherName: ServerCertificate;
  /** For localhost, but its time is over. */
  readonly expired: ServerCertificate;
}

let made: TestCertificates | undefined;

/** Makes a private authority and its certificates with the openssl program, once per process. */
export function testCertificates(): TestCertificates {
  made ??= makeCertificates();
  return made;
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function makeCertificates(): TestCertificates {
  using directory = temporaryDirectory();
  const file = (name: string) => join(directory.path, name);
  const read = (name: string) => readFileSync(file(name), "utf8");
  const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: "pipe" });
  const authority = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-days", "2"];
  openssl("req", "-x509", ...curve, ...authority, "-subj", "/CN=Test authority");
  const sign = (name: string, names: string, days: number): ServerCertificate => {
    const [key, request, cert] = [`${name}.key`, `${name}.csr`, `${name}.pem`];
    writeFileSync(file("names"), `subjectAltName=${names}\n`);
    openssl("req", ...curve, "-keyout", file(key), "-out", file(request), "-subj", `/CN=${name}`);
    const issuer = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"];
    const wanted = ["-days", String(days), "-extfile", file("names"), "-out", file(cert)];
    openssl("x509", "-req", "-in", file(request), ...issuer, ...wanted);
    return { key: read(key), cert: read(cert) };
  };
  return {
    authority: read("ca.pem"),
    good: sign("good", "DNS:localhost,IP:127.0.0.1", 2),
    otherName: sign("other", "DNS:other.example.com", 2),
    expired: sign("expired", "DNS:localhost,IP:127.0.0.1", -1),
  };
}
