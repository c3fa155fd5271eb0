import { installDebian, MissingError, needProgram } from "./packages.ts";

/**
 * The path of `postconf`, with all that a Postfix with logins needs beside it: Cyrus' mechanisms
 * and the program that makes passwords. Postfix drops its rights by itself, so it needs root first.
 */
export async function needPostfix(say: (line: string) => void): Promise<string> {
  if (process.getuid?.() !== 0) throw new MissingError("a Postfix of the tests' own needs root");
  const postconf = await needProgram("postconf", { debian: "postfix", say });
  await needProgram("saslpasswd2", { debian: "sasl2-bin", say });
  const plugins = new Bun.Glob("/usr/lib/*/sasl2/libplain.so");
  if (plugins.scanSync({ onlyFiles: false }).next().done) {
    await installDebian("libsasl2-modules", "Cyrus SASL's PLAIN and LOGIN", say);
  }
  return postconf;
}
