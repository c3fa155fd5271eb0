import { describe, expect, test } from "bun:test";
import { adaptersRule } from "../../../scripts/house/adapters.ts";
import { clientsRule } from "../../../scripts/house/clients.ts";
import { cyclesRule } from "../../../scripts/house/cycles.ts";
import { findImports } from "../../../scripts/house/imports.ts";
import type { Rule } from "../../../scripts/house/rule.ts";
import { stairsRule } from "../../../scripts/house/stairs.ts";

/** What a rule says of files given as path → text, in one line each. */
function find(rule: Rule, files: Record<string, string>): string[] {
  const sources = Object.entries(files).map(([path, text]) => ({ path, text }));
  return rule.find(sources).map(({ path, line, what }) => `${path}:${line ?? ""} ${what}`);
}

function imports(specifier: string): string {
  return `import { a } from "${specifier}";\n`;
}

describe("imports", () => {
  test("every form of import is found, with its line and whether it is for types only", () => {
    const text = [
      `import { a } from "./a.ts";`,
      `import type { B } from "../b.ts";`,
      `import {`,
      `  c,`,
      `} from "kafkajs";`,
      `import "./effect.ts";`,
      `export { d } from "./d.ts";`,
      `const e = await import("./e.ts");`,
    ].join("\n");
    const found = findImports({ path: "src/core/x.ts", text });
    expect(found.map((i) => [i.line, i.target ?? i.specifier, i.typeOnly])).toEqual([
      [1, "src/core/a.ts", false],
      [2, "src/b.ts", true],
      [3, "kafkajs", false],
      [6, "src/core/effect.ts", false],
      [7, "src/core/d.ts", false],
      [8, "src/core/e.ts", false],
    ]);
  });

  test("an import in a comment is none", () => {
    const text = `/**\n * import { a } from "./a.ts";\n */\n// import "./b.ts";\nexport const x = 1;\n`;
    expect(findImports({ path: "src/core/x.ts", text })).toEqual([]);
  });
});

describe("stairs", () => {
  test("an import that goes down, or stays in its room, is fine", () => {
    const files = {
      "src/main.ts": imports("./commands/dev.ts"),
      "src/compose/auth.ts": imports("../auth/routes.ts") + imports("../core/log.ts"),
      "src/email/delivery/worker.ts": imports("./ledger/delivery-ledger.ts"),
    };
    expect(find(stairsRule, files)).toEqual([]);
  });

  test("an import that goes up is named with its line", () => {
    const files = { "src/core/log.ts": `\n${imports("../email/event.ts")}` };
    expect(find(stairsRule, files)).toEqual(["src/core/log.ts:2 imports src/email/event.ts"]);
  });

  test("auth may know the event and the publisher of email, nothing else", () => {
    const files = {
      "src/auth/a.ts": imports("../email/event.ts"),
      "src/auth/b.ts": imports("../email/publisher.ts"),
      "src/auth/c.ts": imports("../email/pipeline.ts"),
    };
    expect(find(stairsRule, files)).toEqual([
      "src/auth/c.ts:1 imports src/email/delivery/pipeline.ts",
    ]);
  });

  test("email never imports auth, not even its types", () => {
    const files = { "src/email/a.ts": `import type { U } from "../auth/users/user.ts";\n` };
    expect(find(stairsRule, files)).toHaveLength(1);
  });

  test("src imports neither tests nor scripts", () => {
    const files = { "src/core/a.ts": imports("../../support/eventually.ts") };
    expect(find(stairsRule, files)).toHaveLength(1);
  });

  test("a room that is on no stair is a problem", () => {
    expect(find(stairsRule, { "src/shop/cart.ts": "" })).toHaveLength(1);
  });
});

describe("clients", () => {
  test("a client is imported in its home only, subpaths included", () => {
    const files = {
      "src/email/event-log/kafka/client.ts": imports("kafkajs"),
      "src/email/event-log/kafka/kafka.ts": imports("kafkajs"),
      "src/email/mailer/smtp/smtp.ts": imports("nodemailer/lib/smtp-connection"),
    };
    expect(find(clientsRule, files)).toEqual([
      "src/email/event-log/kafka/kafka.ts:1 imports kafkajs, whose home is src/core/kafka/",
      "src/email/mailer/smtp/smtp.ts:1 imports nodemailer/lib/smtp-connection, whose home is src/core/smtp/",
    ]);
  });

  test("pino's home is one file", () => {
    const files = { "src/core/log.ts": imports("pino"), "src/core/http/log.ts": imports("pino") };
    expect(find(clientsRule, files)).toHaveLength(1);
  });

  test("only an SQLite adapter may import types of bun:sqlite", () => {
    const type = `import type { Database } from "bun:sqlite";\n`;
    const files = {
      "src/email/ledger/sqlite-rows.ts": type,
      "src/email/ledger/delivery-ledger.ts": type,
      "src/auth/codes/sqlite.ts": imports("bun:sqlite"),
    };
    expect(find(clientsRule, files).map((problem) => problem.split(":")[0])).toEqual([
      "src/email/ledger/delivery-ledger.ts",
      "src/auth/codes/sqlite.ts",
    ]);
  });
});

describe("adapters", () => {
  test("compose and the siblings of its room may import an adapter", () => {
    const files = {
      "src/compose/email.ts": imports("../email/ledger/redis.ts"),
      "src/email/ledger/redis.ts": imports("./redis-scripts.ts"),
      "tests/adapters/ledger-redis.test.ts": imports("../../src/email/ledger/redis.ts"),
    };
    expect(find(adaptersRule, files)).toEqual([]);
  });

  test("nobody else may", () => {
    const files = {
      "src/email/delivery/worker.ts": imports("./ledger/redis.ts"),
      "src/commands/trace.ts": imports("../email/ledger/sqlite-history.ts"),
    };
    expect(find(adaptersRule, files)).toEqual([
      "src/email/delivery/worker.ts:1 imports the adapter src/email/ledger/redis.ts",
      "src/commands/trace.ts:1 imports the adapter src/email/ledger/sqlite-history.ts",
    ]);
  });

  test("a page about the inbox is no adapter", () => {
    const files = { "src/email/mailer/inbox/inbox-page.tsx": imports("./pages/inbox.tsx") };
    expect(find(adaptersRule, files)).toEqual([]);
  });

  test("the core's own clients are no adapters", () => {
    const files = { "src/email/ledger/redis.ts": imports("../../core/redis/client.ts") };
    expect(find(adaptersRule, files)).toEqual([]);
  });
});

describe("cycles", () => {
  test("a circle of imports is printed whole", () => {
    const files = {
      "src/core/a.ts": imports("./b.ts"),
      "src/core/b.ts": imports("./c.ts"),
      "src/core/c.ts": imports("./a.ts"),
    };
    expect(find(cyclesRule, files)).toEqual([
      "src/core/a.ts: is in a circle: src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts",
    ]);
  });

  test("two ways to one file are no circle", () => {
    const files = {
      "src/core/a.ts": imports("./b.ts") + imports("./c.ts"),
      "src/core/b.ts": imports("./c.ts"),
      "src/core/c.ts": "",
    };
    expect(find(cyclesRule, files)).toEqual([]);
  });
});
