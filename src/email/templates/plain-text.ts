import type { Child } from "hono/jsx";
import { isValidElement } from "hono/jsx";

/** Elements that stand in a paragraph, or in a line, of their own. */
const paragraphs = new Set(["h1", "h2", "p", "table", "ul"]);
const lines = new Set(["tr", "li", "br"]);

/**
 * The words of a letter without its looks, from the same elements: paragraphs with an empty line
 * between them, a line for each row of a table, a link as its label and then its address, an
 * address that was shown only once. What is hidden from the ear (`aria-hidden`) is left out, and the head.
 */
export function plainText(letter: Child): string {
  return `${wordsOf(letter, new Set())
    .replace(/[ \n]*\n\n[ \n]*/g, "\n\n")
    .replace(/ *\n */g, "\n")
    .replace(/ {2,}/g, " ")
    .trim()}\n`;
}

/** `shown`: the addresses that stand in the text already. */
function wordsOf(node: Child | undefined, shown: Set<string>): string {
  if (Array.isArray(node)) return node.map((child) => wordsOf(child, shown)).join("");
  if (typeof node === "string" || typeof node === "number") return String(node);
  if (!isValidElement(node)) return "";
  const { tag, props, children } = node;
  if (typeof tag === "function") return wordsOf(tag({ ...props, children }), shown);
  if (tag === "head" || props["aria-hidden"] === "true") return "";
  const words = wordsOf(children, shown);
  if (tag === "a") return linkOf(words, String(props["href"]), shown);
  if (tag === "td") return `${words} `;
  if (paragraphs.has(tag)) return `\n\n${words}\n\n`;
  return lines.has(tag) ? `\n${words}` : words;
}

function linkOf(words: string, href: string, shown: Set<string>): string {
  if (words !== href) {
    shown.add(href);
    return `${words}:\n${href}`;
  }
  return shown.has(href) ? "" : href;
}
