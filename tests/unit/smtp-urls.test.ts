import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigProblem, Environment } from "../../src/core/config.ts";
import { parseConfig } from "../../src/core/config.ts";
import { resolveSmtpServers, smtpFields } from "../../src/email/mailer/smtp/config.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

function resolve(environment: Environment) {
  const problems: ConfigProblem[] = [];
  const { smtp } = parseConfig({ smtp: smtpFields }, environment);
  const servers = resolveSmtpServers(smtp, problems);
  return { servers, problems };
}

const sender = { SMTP_FROM: "noreply@example.com" };

describe("SMTP_URLS", () => {
  test("names servers in their order, each with what its URL says over the other settings", () => {
    const { servers, problems } = resolve({
      ...sender,
      SMTP_CONNECTIONS: "7",
      SMTP_URLS:
        "smtp://ana%40x:p%40%2Fs%2C@smtp.example.com?rate=14&from=a%2Bb@one.example, smtps://[::1]?from=c+d@two.example&connections=2&reply_timeout=5s",
    });
    expect(problems).toEqual([]);
    expect(servers).toMatchObject([
      {
        ...{ host: "smtp.example.com", port: 587, tls: "starttls", user: "ana@x" },
        ...{ password: "p@/s,", from: "a+b@one.example", mailsPerSecondMax: 14, connections: 7 },
        messageIdFrom: "a+b@one.example",
      },
      {
        ...{ host: "::1", port: 465, tls: "implicit", user: undefined, connections: 2 },
        ...{ from: "c+d@two.example", replyTimeoutMs: 5000, messageIdFrom: "a+b@one.example" },
      },
    ]);
  });

  test("may name a host in another script, or in capitals", () => {
    const { servers } = resolve({
      ...sender,
      SMTP_URLS: "smtp://bücher.example, SMTP://One.Example",
    });
    expect(servers?.map(({ host }) => host)).toEqual(["xn--bcher-kva.example", "one.example"]);
  });

  test("may stand in a file, one server a line", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "urls");
    writeFileSync(path, "smtp://one.example:25?tls=none\nsmtp://two.example:25?tls=none\n");
    const { servers } = resolve({ ...sender, SMTP_URLS_FILE: path });
    expect(servers?.map(({ host, tls }) => [host, tls])).toEqual([
      ["one.example", "none"],
      ["two.example", "none"],
    ]);
  });

  test.each([
    ["https://u:hidden@one.example", "must be a URL such as"],
    ["smtp://u:hidden", "must be a URL such as"],
    ["smtp://u:hid/den@one.example", "must be a URL such as|has a / or #"],
    ["smtp://u:hid#hidden@one.example", "must be a URL such as|has a / or #"],
    ["smtp://u:hidden%zz@one.example", "%25"],
    ["smtp://u:hid%0Aden@one.example", "control characters"],
    ["smtp://u:hidden@one.example?rat=hidden", 'no parameter "rat"'],
    ["smtp://u:hidden@one.example?password=hidden", 'no parameter "password"'],
    ["smtp://u:hidden@one.example?rate=hidden", "rate must be a whole number from 0 to 10000"],
    ["smtps://u:hidden@one.example?tls=none", "smtps:// is tls=implicit"],
    ["smtp://u@one.example", "SMTP_PASSWORD must be set"],
    ["smtp://u:hidden@one.example, smtp://u:hidden@one.example", "twice"],
    ["smtp://u:hidden@One.example, smtp://u:hidden@one.example:587", "twice"],
    ["smtp://u:hidden@one.example?rate=1&rate=2", "parameter twice"],
    ["smtp://u:12?hidden@one.example", "%3F"],
    ["smtp://u:12?hid=den@one.example", "%3F"],
    ["smtp://u:hidden@one.example:0", "port from 1 to 65535"],
    [Array.from({ length: 11 }, (_, n) => `smtp://h${n}.example`).join(), "must be 1 to 10 URLs"],
  ])("%s is refused, and nothing secret is repeated", (SMTP_URLS, says) => {
    const { servers, problems } = resolve({ ...sender, SMTP_URLS });
    expect(servers).toBeUndefined();
    const text = problems.map(({ name, problem }) => `${name} ${problem}`).join("\n");
    expect(text).toMatch(new RegExp(says.replaceAll(/[?.+]/g, "\\$&")));
    expect(text).not.toMatch(/hidden|den@/);
    expect(problems.every(({ name }) => name === "SMTP_URLS")).toBe(true);
  });

  test("and SMTP_HOST are not both set", () => {
    const both = { ...sender, SMTP_URLS: "smtp://one.example", SMTP_HOST: "two.example" };
    expect(resolve(both).problems.map(({ name }) => name)).toEqual(["SMTP_HOST"]);
  });
});
