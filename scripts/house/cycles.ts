import { findImports } from "./imports.ts";
import type { Rule, SourceFile } from "./rule.ts";
import { isTypeScript, isUnder } from "./rule.ts";

export const cyclesRule: Rule = {
  name: "cycles",
  why: "Files that import each other in a circle can only be understood, moved and initialised together, and what one of them sees of the other at start depends on who was imported first.",
  mend: "Move what both need into a third file, or pass it as an argument.",
  find: (files) => {
    const graph = buildGraph(files);
    return findCycles(graph).map((cycle) => ({
      path: cycle[0] ?? "",
      what: `is in a circle: ${[...cycle, cycle[0]].join(" → ")}`,
    }));
  },
};

type Graph = ReadonlyMap<string, readonly string[]>;

function buildGraph(files: readonly SourceFile[]): Graph {
  const sources = files.filter((file) => isUnder(file.path, "src") && isTypeScript(file));
  const known = new Set(sources.map((file) => file.path));
  return new Map(
    sources.map((file) => {
      const targets = findImports(file).map(({ target }) => target ?? "");
      return [file.path, targets.filter((target) => known.has(target))];
    }),
  );
}

/** One circle for each import that closes one, found depth first; each file is entered once. */
function findCycles(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    const at = trail.indexOf(path);
    if (at !== -1) cycles.push(trail.slice(at));
    if (at !== -1 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}
