import { renderHelps } from "./commands/help.ts" with { type: "macro" };

const helps = renderHelps();
const words = process.argv.slice(2);
const help = words.at(-1) === "--help" ? helps[words.slice(0, -1).join(" ")] : undefined;
if (help === undefined) {
  const { program } = await import("./commands/program.ts");
  await program.parseAsync();
} else {
  console.log(help.replace(/\n$/, "")); // process.stdout takes 4 ms to open
}
