import type { Command } from "commander";
import { program } from "./program.ts";

/**
 * The help of each command, by what precedes `--help`: "suppressions list". Called as a macro, while
 * the program is built, because loading commander takes longer than all else that `--help` does.
 */
export function renderHelps(): Record<string, string> {
  return Object.fromEntries(helpsOf(program, ""));
}

function helpsOf(command: Command, words: string): [words: string, help: string][] {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  const children = command.commands.flatMap((child) =>
    helpsOf(child, `${words} ${child.name()}`.trim()),
  );
  return [[words, help], ...children];
}
