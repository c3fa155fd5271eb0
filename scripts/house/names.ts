import { posix } from "node:path";
import type { Problem, Rule, SourceFile } from "./rule.ts";
import { isTypeScript, isUnder } from "./rule.ts";

const empty = /^(?:utils?|common|helpers?|types|managers?|base|index)(?:\.|$)/;
const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*$/;

export const namesRule: Rule = {
  name: "names",
  why: "A name says what is inside. Drawers called utils or types collect what nobody placed, and an index file hides where a thing stands.",
  mend: "Name the file for its one idea, in kebab-case: the port like its interface, the adapter like its technology. Import from the file itself.",
  find: (files) =>
    files
      .filter((file) => isTypeScript(file))
      .filter(
        ({ path }) => isUnder(path, "src") || isUnder(path, "tests") || isUnder(path, "scripts"),
      )
      .flatMap(check),
};

function check({ path }: SourceFile): Problem[] {
  const name = posix.basename(path);
  if (!kebab.test(name)) return [{ path, what: "is not in kebab-case" }];
  const drawer = path.split("/").find((segment) => empty.test(segment));
  return drawer === undefined ? [] : [{ path, what: `is named ${drawer}, which says nothing` }];
}
