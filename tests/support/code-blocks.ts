import { readFileSync } from "node:fs";

/** The fenced blocks of one language in a Markdown file, in order. */
export function readCodeBlocks(path: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...readFileSync(path, "utf8").matchAll(fence)].map((match) => match[1] ?? "");
}
