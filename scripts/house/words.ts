import type { Problem, Rule, SourceFile } from "./rule.ts";

/**
 * What no committed file may say. Each pattern has one letter in brackets, so that this list is
 * not found by itself.
 */
const forbidden: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /(?:^|[^\w.])\/wor[k]\/\w/, what: "a path of one machine" },
  {
    pattern: /(?:^|[^\w.])\/(?:roo[t]|home\/[a-z]\w*|User[s]\/\w+)\/[\w.]/,
    what: "somebody's home directory",
  },
  { pattern: /registry\.(?:npmj[s]|yarnpk[g])\.\w+/, what: "a package registry's host" },
  { pattern: /repo1?\.mave[n]\.(?:apache\.)?org/, what: "a package registry's host" },
  {
    pattern: /(?:deb\.debia[n]|archive\.ubunt[u]|proxy\.golan[g])\.\w+/,
    what: "a package registry's host",
  },
  { pattern: /\b(?:issu[e]|ticke[t]) #?\d+\b/i, what: "a task number" },
];

export const wordsRule: Rule = {
  name: "words",
  why: "Whoever clones this has another machine, another network and no access to a task list: such words mean nothing there, and go stale.",
  mend: "Say what is true everywhere: a path relative to the repository, the client instead of its registry's host, the reason instead of a number. A thread of another project is named like nodemailer#1234.",
  find: (files) => files.flatMap(check),
};

function check(file: SourceFile): Problem[] {
  return file.text.split("\n").flatMap((line, index) => {
    const hit = forbidden.find(({ pattern }) => pattern.test(line));
    return hit === undefined ? [] : [{ path: file.path, line: index + 1, what: `has ${hit.what}` }];
  });
}
