import { readFileSync } from "node:fs";
import type { ConfigProblem } from "./parse.ts";

/**
 * The PEM text of the file that the variable `name` names: the authorities to trust instead of the
 * public ones. Undefined when it cannot be used; why is pushed to `problems`.
 */
export function readAuthorities(
  name: string,
  path: string,
  problems: ConfigProblem[],
): string | undefined {
  try {
    const pem = readFileSync(path, "utf8");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
    problems.push({ name, problem: `names a file without a certificate: ${path}` });
  } catch {
    problems.push({ name, problem: `names a file that cannot be read: ${path}` });
  }
  return undefined;
}
