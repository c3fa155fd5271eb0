import { expect, test } from "bun:test";
import { parseReplayFlags } from "../../src/commands/replay-dlq.ts";

test("a recipient is compared in canonical form", () => {
  const { selection } = parseReplayFlags({ recipient: " ＡＮＡ@Bücher.example\u200b" }, 0);
  expect(selection.recipient).toBe("ana@xn--bcher-kva.example");
});

test("what is no address is refused, instead of selecting nothing", () => {
  expect(() => parseReplayFlags({ recipient: "ana" }, 0)).toThrow(
    "--recipient must be an e-mail address",
  );
});
