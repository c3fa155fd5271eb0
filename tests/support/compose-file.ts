import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export const composePath = resolve(import.meta.dir, "../../docker-compose.yml");

/** What of a Compose service a test can run without containers. */
export interface ComposeService {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | number>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

export function readComposeService(name: string): ComposeService {
  const file = Bun.YAML.parse(readFileSync(composePath, "utf8")) as {
    services: Record<string, ComposeService>;
  };
  const service = file.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

/**
 * Makes a value of the Compose file true outside of containers: what stands on the left, a host
 * or a path that only containers have, is replaced by what stands on the right.
 */
export function replaceAll(value: string, replacements: Readonly<Record<string, string>>): string {
  // In one pass, so that what was put in is not replaced again.
  const quoted = Object.keys(replacements).map((key) => key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return value.replace(new RegExp(quoted.join("|"), "g"), (found) => replacements[found] ?? found);
}
