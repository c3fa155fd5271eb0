import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diagnoseDataDirectory } from "../../src/doctor/machine.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { diagnosed, examineWith, findTrouble, goodSecrets, troubles } from "../support/doctor.ts";

const mebibyte = 1024 * 1024;

describe("doctor on the settings", () => {
  test("finds nothing wrong when none is set", async () => {
    const { exitCode, findings } = await examineWith({});
    expect(exitCode).toBe(0);
    expect(troubles(findings)).toEqual([]);
  });

  test("reports every setting that does not parse, with an example, and exits with 2", async () => {
    const { exitCode, text } = await examineWith({ SMTP_PORT: "smtp", LOG_LEVEL: "loud" });
    expect(exitCode).toBe(2);
    expect(text).toContain('✗ SMTP_PORT must be a whole number from 0 to 65535 (it is "smtp")');
    expect(text).toContain("→ For example SMTP_PORT=587");
    expect(text).toContain("✗ LOG_LEVEL must be one of");
  });

  test("names the new variable for each that was renamed, and exits with 2", async () => {
    const former = { AUTH_TRIES_PER_EMAIL: "3", AUTH_CODES_IN_ALL: "9", EMAIL_OUTAGE_HOLD: "1h" };
    const { exitCode, findings } = await examineWith(former);
    expect(exitCode).toBe(2);
    const found = findings.filter(({ check }) => check === "config.invalid");
    expect(found.map(({ text, fix }) => `${text}. ${fix}`).toSorted()).toEqual([
      "AUTH_CODES_IN_ALL was renamed. Set AUTH_CODES_GLOBAL instead",
      "AUTH_TRIES_PER_EMAIL was renamed. Set AUTH_ATTEMPTS_PER_EMAIL instead",
      "EMAIL_OUTAGE_HOLD was renamed. Set EMAIL_OUTAGE_RETRY_FOR instead",
    ]);
  });

  test("reports what production lacks, with an example, and still checks the rest", async () => {
    const { exitCode, text } = await examineWith({ APP_ENV: "production", AUTH_SECRET: "" });
    expect(exitCode).toBe(2);
    expect(text).toContain("✗ REDIS_URL must be set because APP_ENV is production");
    expect(text).toContain("Set it, for example REDIS_URL=redis://:password@localhost:6379/0");
    expect(text).toContain('AUTH_SECRET="$(openssl rand -base64 32)"');
    expect(text).toContain("✓ Disk");
  });

  test("suggests the variable that was meant", async () => {
    const typed = { KAFKA_BROKER: "a:1", SMTP_PASS: "x", REDIS_HOST: "a", DATABSE_URL: "x" };
    const { exitCode, findings } = await examineWith({ ...typed, PATH: "/bin", REDIS_PORT: "1" });
    expect(exitCode).toBe(0);
    const fixes = findings.filter(({ check }) => check === "config.mistyped");
    expect(fixes.map(({ text, fix }) => `${text.split(" ")[0]}: ${fix?.split("?")[0]}`)).toEqual([
      "KAFKA_BROKER: Did you mean KAFKA_BROKERS",
      "SMTP_PASS: Did you mean SMTP_PASSWORD",
      "REDIS_HOST: Did you mean REDIS_ADDR",
      "DATABSE_URL: Did you mean DATABASE_URL",
    ]);
  });

  test("finds secrets that can be guessed or are equal, and prints none", async () => {
    const weak = {
      AUTH_SECRET: "change-me-change-me-change-me-change-me",
      EMAIL_SECRET: "abcabcabcabcabcabcabcabcabcabcabcabc",
    };
    const { exitCode, findings, text } = await examineWith(weak);
    expect(exitCode).toBe(1);
    const found = findings.filter(({ check }) => check === "secrets.strength");
    expect(found.map((each) => each.text)).toEqual([
      "AUTH_SECRET looks like a placeholder, not like a random secret",
      "EMAIL_SECRET has only 3 different characters",
    ]);
    expect(found[0]?.fix).toBe("Generate a new one: openssl rand -base64 32");
    for (const secret of Object.values(weak)) expect(text).not.toContain(secret);
    const made = Bun.spawnSync(["openssl", "rand", "-base64", "32"]).stdout.toString().trim();
    const shared = await examineWith({ AUTH_SECRET: made, EMAIL_SECRET: made });
    const { text: same } = findTrouble(shared.findings, "secrets.shared");
    expect(same).toBe("EMAIL_SECRET is the same as AUTH_SECRET");
    expect((await examineWith({ AUTH_SECRET: made })).exitCode).toBe(0);
  });

  test.each([
    ["AUTH_SECRET", "change-me-change-me-change-me-change-me", "looks like a placeholder"],
    ["AUTH_SECRET_PREVIOUS", "changeitchangeitchangeitchangeit", "looks like a placeholder"],
    ["EMAIL_SECRET", "abcdefghijklmnopqrstuvwxyz012345", "bits of entropy"],
    ["EMAIL_SECRET_PREVIOUS", goodSecrets.EMAIL_SECRET, "is the same as EMAIL_SECRET"],
    ["OPS_TOKEN", "changeme-changeme", "looks like a placeholder"],
    ["BOUNCE_SECRET", "ab".repeat(20), "has only 2 different characters"],
    ["BOUNCE_POSTMARK_PASSWORD", "password-password", "looks like a placeholder"],
    ["METRICS_TOKEN", "9b7c4e2f81d6a3e5".repeat(4), "repeats itself"],
  ])("refuses a weak %s in production, once, and warns of it before", async (name, value, why) => {
    const user = name === "BOUNCE_POSTMARK_PASSWORD" ? { BOUNCE_POSTMARK_USER: "postmark" } : {};
    const strict = await examineWith({ APP_ENV: "production", ...user, [name]: value });
    expect(strict.exitCode).toBe(2);
    const about = (findings: typeof strict.findings) =>
      findings.filter(({ level, text }) => level === "fault" && text.startsWith(`${name} `));
    expect(about(strict.findings)).toEqual([
      {
        level: "fault",
        check: "config.invalid",
        text: expect.stringContaining(why),
        fix: expect.stringContaining("openssl rand -base64 32"),
      },
    ]);
    expect(strict.text).not.toContain(value);
    const lenient = await examineWith({ ...user, [name]: value });
    expect(lenient.exitCode).toBe(1);
    expect(about(lenient.findings)).toMatchObject([{ text: expect.stringContaining(why) }]);
  });

  test("finds what strangers could use, or users would miss, in production", async () => {
    const { findings } = await examineWith({
      APP_ENV: "production",
      PUBLIC_URL: "http://sign-in.example.com",
      TRUSTED_PROXIES: "10.0.0.1,0.0.0.0/0",
    });
    const shown = (check: string) => findings.find((each) => each.check === check);
    expect(shown("setup.ops_token")).toMatchObject({
      level: "fault",
      text: "The pages for operators are closed, because OPS_TOKEN is not set",
    });
    expect(shown("setup.plain_http")).toMatchObject({
      level: "fault",
      text: expect.stringContaining("browsers drop the cookie"),
    });
    const wide = shown("setup.trusted_proxies");
    expect(wide?.level).toBe("fault");
    expect(wide?.text).toContain("0.0.0.0/0");
    expect(wide?.text).not.toContain("10.0.0.1");
  });

  test("asks for TRUSTED_PROXIES where PUBLIC_URL is a proxy's", async () => {
    const environment = { PUBLIC_URL: "https://sign-in.example.com" };
    const { exitCode, findings } = await examineWith(environment);
    expect(exitCode).toBe(0);
    const trouble = findTrouble(findings, "setup.clients");
    expect(trouble).toMatchObject({
      level: "warning",
      text: expect.stringContaining("one client"),
    });
    const set = await examineWith({ ...environment, TRUSTED_PROXIES: "127.0.0.1" });
    expect(troubles(set.findings)).toEqual([]);
  });

  test("finds choices that do not fit together", async () => {
    const { findings } = await examineWith({
      KAFKA_BROKERS: "127.0.0.1:1",
      SMTP_HOST: "smtp.example.com",
    });
    expect(findTrouble(findings, "setup.ledger").fix).toContain("REDIS_URL");
    expect(findTrouble(findings, "setup.mail_mode").fix).toContain("EMAIL_MODE=smtp");
  });

  test.each([
    ["https://id.example.com", "https://app.example.com", false],
    ["https://id.example.com", "https://example.com:8443", false],
    ["https://id.example.com", "https://app.example.org", true],
    ["https://id.example.com", "http://app.example.com", true],
    ["https://id.example.co.uk", "https://app.example.co.uk", false],
    ["https://id.example.co.uk", "https://app.other.co.uk", true],
    ["https://id-acme.pages.dev", "https://app-acme.pages.dev", true],
    ["http://localhost:8080", "http://localhost:3000", false],
    ["http://localhost:8080", "http://127.0.0.1:3000", true],
    ["http://192.0.2.7", "http://198.51.2.7", true],
  ])(
    "of %s and pages of %s warns of another site: %p",
    async (PUBLIC_URL, CORS_ORIGINS, warned) => {
      const { findings, exitCode } = await examineWith({ PUBLIC_URL, CORS_ORIGINS });
      expect(exitCode).toBe(0);
      const found = findings.filter(({ check }) => check === "setup.cors_site");
      expect(found.map(({ text }) => text.includes(CORS_ORIGINS))).toEqual(warned ? [true] : []);
    },
  );

  test("finds a port in use by another program", async () => {
    await using web = Bun.serve({ port: 0, fetch: () => new Response("hello") });
    const { findings } = await examineWith({ EMAIL_SERVICE_PORT: String(web.port) });
    const { text, fix } = findTrouble(findings, "service.serve-email");
    expect(text).toBe(`Port ${web.port} of serve-email is in use by another program`);
    expect(fix).toContain("EMAIL_SERVICE_PORT");
  });

  test("says why a service that runs here is not ready", async () => {
    const answer = { status: "not_ready", reasons: ["Redis does not answer"] };
    await using web = Bun.serve({ port: 0, fetch: () => Response.json(answer, { status: 503 }) });
    const { findings } = await examineWith({ EMAIL_SERVICE_PORT: String(web.port) });
    const { text } = findTrouble(findings, "service.serve-email");
    expect(text).toContain("not ready: Redis does not answer");
  });
});

describe("doctor on the data directory", () => {
  test("finds a full disk, and one that soon will be", async () => {
    using directory = temporaryDirectory();
    const look = (free: number) =>
      diagnosed((diagnosis) => diagnoseDataDirectory(directory.path, diagnosis, async () => free));
    const full = findTrouble(await look(99 * mebibyte), "data.space");
    expect(full).toMatchObject({ level: "fault", text: expect.stringContaining("99 MiB free") });
    expect(full.fix).toContain(`df -h ${directory.path}`);
    expect(findTrouble(await look(1000 * mebibyte), "data.space").level).toBe("warning");
    expect(troubles(await look(1024 * mebibyte))).toEqual([]);
  });

  test("finds files that others may read, and its fixes work", async () => {
    using directory = temporaryDirectory();
    const secret = join(directory.path, "auth.secret");
    writeFileSync(secret, "x");
    chmodSync(secret, 0o644);
    chmodSync(directory.path, 0o755);
    const look = () => diagnosed((diagnosis) => diagnoseDataDirectory(directory.path, diagnosis));
    const found = (await look()).filter(({ check }) => check === "data.modes");
    expect(found.map(({ level }) => level)).toEqual(["fault", "warning"]);
    for (const { fix = "" } of found) expect(Bun.spawnSync(fix.split(" ")).exitCode).toBe(0);
    expect(troubles(await look())).toEqual([]);
  });

  test("finds an embedded engine whose file is broken", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "data");
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, "state.sqlite"), "this is no database at all", { mode: 0o600 });
    const { findings } = await examineWith({ DATA_DIR: path });
    const { text, fix = "" } = findTrouble(findings, "sqlite.readable");
    expect(text).toContain("state.sqlite cannot be read");
    expect(Bun.spawnSync(fix.slice(fix.indexOf("mv ")).split(" ")).exitCode).toBe(0);
    expect((await examineWith({ DATA_DIR: path })).exitCode).toBe(0);
  });
});

describe("doctor on TEMPLATE_DIR", () => {
  test("names the line of the file that a service would refuse, until it is fixed", async () => {
    using directory = temporaryDirectory();
    const write = (name: string, text: string) => writeFileSync(join(directory.path, name), text);
    write("welcome.subject.txt", "Hello");
    write("welcome.html", "<p>\n{{usrname}}</p>");
    write("welcome.txt", "Hello {{unsubscribe_link}}");
    const broken = await examineWith({ TEMPLATE_DIR: directory.path });
    expect(broken.exitCode).toBe(1);
    const { text } = findTrouble(broken.findings, "templates.sound");
    expect(text).toStartWith("welcome.html:2 uses an unknown value, usrname");
    write("welcome.html", "<p>{{username}} {{unsubscribe_link}}</p>");
    const fixed = await examineWith({ TEMPLATE_DIR: directory.path });
    expect(troubles(fixed.findings)).toEqual([]);
    expect(fixed.findings.map(({ check }) => check)).toContain("templates.sound");
  });
});
