import { findImports } from "./imports.ts";
import type { Rule } from "./rule.ts";
import { isTypeScript, isUnder } from "./rule.ts";

// A .tsx file is a page, and may be about the inbox without being an adapter.
const technology = /^(redis|sqlite|kafka|postgres|smtp|inbox)(-[a-z0-9-]+)?(\.ts|\.lua|\.sql)?$/;

export const adaptersRule: Rule = {
  name: "adapters",
  why: "Only compose names adapters. Everything else speaks to the port, so an engine is chosen in one place and the same tests hold for all of them.",
  mend: "Import the port (the file named like its interface) and let compose pass the adapter in. What two adapters of a room share belongs into a file of that room that no technology names.",
  find: (files) =>
    files
      .filter((file) => isUnder(file.path, "src") && isTypeScript(file))
      .filter((file) => !isUnder(file.path, "src/compose"))
      .flatMap((file) =>
        findImports(file).flatMap(({ target, line }) => {
          const room = target === undefined ? undefined : findAdapterRoom(target);
          if (room === undefined || isUnder(file.path, room)) return [];
          return [{ path: file.path, line, what: `imports the adapter ${target}` }];
        }),
      ),
};

/** "src/email/ledger/redis-scripts.ts" → "src/email/ledger"; undefined for what is no adapter. */
function findAdapterRoom(path: string): string | undefined {
  if (!isUnder(path, "src/auth") && !isUnder(path, "src/email")) return undefined;
  const segments = path.split("/");
  const at = segments.findIndex((segment) => technology.test(segment));
  return at === -1 ? undefined : segments.slice(0, at).join("/");
}
