import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./before.ts";
import type { Stage } from "./stage.ts";

/** As Bun writes it with --cpu-prof, in the form of Chrome's DevTools. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface Share {
  /** "email/ledger" for a module of src, "ioredis" for a package, or work of the system. */
  readonly part: string;
  /** Of the time the process ran. */
  readonly share: number;
}

/** The sampler's interval is 1 ms: longer gaps are time it waited. */
const sampleMicrosMax = 1200;
const partsMax = 12;

/** Like ./instant, but run from the sources; leaves a profile in `directory` when it exits. */
export function profiledProgram(stage: Stage, directory: string): Program {
  const path = join(directory, "instant");
  const bun = `"${process.execPath}" --no-env-file --cwd="${stage.repository}"`;
  const profile = `--cpu-prof --cpu-prof-dir="${directory}"`;
  writeFileSync(path, `#!/bin/sh\nexec ${bun} ${profile} "${stage.repository}/src/main.ts" "$@"\n`);
  chmodSync(path, 0o700);
  return { path };
}

/** All profiles in `directory` together, greatest shares first. */
export function readShares(directory: string): readonly Share[] {
  const files = readdirSync(directory).filter((name) => name.endsWith(".cpuprofile"));
  return sharesOf(
    files.map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as CpuProfile),
  );
}

export function sharesOf(profiles: readonly CpuProfile[]): readonly Share[] {
  const micros = new Map<string, number>();
  let total = 0;
  for (const profile of profiles) {
    const partOf = createAttribution(profile);
    for (const [index, node] of profile.samples.entries()) {
      const took = Math.min(profile.timeDeltas[index] ?? 0, sampleMicrosMax);
      const part = partOf(node);
      micros.set(part, (micros.get(part) ?? 0) + took);
      total += took;
    }
  }
  return [...micros]
    .map(([part, took]) => ({ part, share: took / total }))
    .sort((a, b) => b.share - a.share)
    .slice(0, partsMax);
}

/** Attributes a sample to the nearest caller in a package or module, unless it is system work. */
function createAttribution({ nodes }: CpuProfile): (id: number) => string {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  return (id) => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = known.get(at)?.callFrame;
      const part = frame && findPart(frame.functionName, frame.url);
      if (part !== undefined) return part;
    }
    return "the runtime";
  };
}

function findPart(functionName: string, url: string): string | undefined {
  if (functionName === "writeBuffered") return "writes to sockets";
  if (url.startsWith("bun:sqlite")) return "SQLite";
  const [, inPackage] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
  const [, inModule] = /\/src\/((?:core|auth|email|compose|commands)\/[^/.]+)/.exec(url) ?? [];
  return inPackage ?? inModule;
}

export function renderShares(name: string, shares: readonly Share[]): string {
  const lines = shares.map(({ part, share }) => `| ${part} | ${(share * 100).toFixed(0)} % |`);
  return [`| \`${name}\` | time of the process |`, "|---|---:|", ...lines].join("\n");
}
