import { findImports } from "./imports.ts";
import type { Problem, Rule, SourceFile } from "./rule.ts";
import { isTypeScript, isUnder } from "./rule.ts";

/** The stairs from top to bottom; rooms on one stair do not know each other. */
const stairs = [["main"], ["commands"], ["compose"], ["doctor", "auth", "email"], ["core"]];

/** What auth may know of email: what an event is, and that somebody publishes it. */
const shared = ["src/email/event.ts", "src/email/delivery/publisher.ts"];

export const stairsRule: Rule = {
  name: "stairs",
  why: `Imports go down only: ${stairs.map((rooms) => rooms.join(", ")).join(" → ")}. A room can then be read, tested and replaced knowing only what lies below it, and the domains meet in one place, compose.`,
  mend: "Move what both need down a stair (into core only if it knows no domain word), or pass it in from compose as a function or a port. auth may import only the event and the publisher port of email; email imports nothing of auth.",
  find: (files) =>
    files.filter((file) => isUnder(file.path, "src") && isTypeScript(file)).flatMap(check),
};

function check(file: SourceFile): Problem[] {
  const from = findStair(file.path);
  if (from === undefined) {
    return [{ path: file.path, what: "stands on no stair: src has only the known rooms" }];
  }
  return findImports(file).flatMap(({ target, line }) => {
    if (target === undefined || isAllowed(file.path, from, target)) return [];
    return [{ path: file.path, line, what: `imports ${target}` }];
  });
}

function isAllowed(path: string, from: number, target: string): boolean {
  if (!isUnder(target, "src")) return target === "package.json";
  if (findRoom(path) === findRoom(target)) return true;
  if (findRoom(path) === "auth" && shared.includes(target)) return true;
  const to = findStair(target);
  return to !== undefined && to > from;
}

function findStair(path: string): number | undefined {
  const room = findRoom(path);
  const stair = stairs.findIndex((rooms) => rooms.includes(room));
  return stair === -1 ? undefined : stair;
}

/** "src/email/ledger/redis.ts" → "email"; "src/main.ts" → "main". */
function findRoom(path: string): string {
  return path.split("/")[1]?.replace(/\.tsx?$/, "") ?? "";
}
