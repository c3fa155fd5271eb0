import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import { smtpEnvironment, urlOf } from "../../support/service-rig.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant") ?? "";

interface DirectRig extends AsyncDisposable {
  readonly sink: SmtpSink;
  /** The recipients that the mail server was asked to take a mail for. */
  readonly recipients: ReadonlySet<string>;
  /** Asks for a code; returns the status, and the code and scope of a problem. */
  ask(email: string): Promise<string>;
}

/** serve-auth with ENABLE_KAFKA=false, and a mail server that obeys. */
async function openDirectRig(
  engine: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<DirectRig> {
  const stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(temporaryDirectory());
  const recipients = new Set<string>();
  const onRead = (bytes: string) => {
    for (const [, recipient = ""] of bytes.matchAll(/RCPT TO:<([^>]+)>/g))
      recipients.add(recipient);
  };
  const sink = stack.use(await openSmtpSink({ onRead }));
  const redis = engine === "Redis" ? stack.use(await openOwnRedis()) : undefined;
  const process = stack.use(
    new InstantProcess(["serve-auth"], {
      program,
      directory,
      environment: {
        ...smtpEnvironment(sink),
        ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
        ENABLE_KAFKA: "false",
        AUTH_SERVICE_PORT: "0",
        AUTH_WELCOME_MAIL: "false",
        EMAIL_REFUSAL_GUARD: "0",
        ...environment,
      },
    }),
  );
  const url = await urlOf(process, "Auth service started");
  return {
    sink,
    recipients,
    ask: async (email) => {
      const response = await fetch(`${url}/auth/request-code`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ email }),
      });
      const { code, scope } = (await response.json()) as { code?: string; scope?: string };
      return [response.status, code, scope].filter((part) => part !== undefined).join(" ");
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const refused = { kind: "reply", text: "550 5.1.1 no such user" } as const;
const times = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));
const countOf = (answers: readonly string[], answer: string) =>
  answers.filter((one) => one === answer).length;

async function askInTurn({ ask }: DirectRig, email: string, count: number): Promise<string[]> {
  const answers: string[] = [];
  while (answers.length < count) answers.push(await ask(email));
  return answers;
}

const engines = hasRedisServer() ? ["SQLite", "Redis"] : ["SQLite"];

describe.skipIf(program === "").each(engines)("without Kafka, on %s", (engine) => {
  test("a mailbox that the server refuses is answered and costs like one that it takes", async () => {
    await using rig = await openDirectRig(engine);
    rig.sink.misbehave({ at: "rcpt", recipient: "^refused", does: refused });
    const answers = {
      taken: await askInTurn(rig, "taken@example.com", 7),
      refused: await askInTurn(rig, "refused@example.com", 7),
    };
    expect(answers.taken).toEqual([
      ...Array<string>(6).fill("200"),
      "429 too_many_codes repeats-per-code",
    ]);
    expect(answers.refused).toEqual(answers.taken);
    expect(rig.sink.reachedTotal.rcpt).toBe(2);
  });

  test("and so is its sixth code of an hour", async () => {
    await using rig = await openDirectRig(engine, { AUTH_CODE_REPEAT_WINDOW: "0s" });
    rig.sink.misbehave({ at: "rcpt", recipient: "^refused", does: refused });
    for (const email of ["taken@example.com", "refused@example.com"]) {
      expect(await askInTurn(rig, email, 6)).toEqual([
        ...Array<string>(5).fill("200"),
        "429 too_many_codes codes-per-email",
      ]);
    }
  });

  test.each([
    ["refuses them", "0", "550 5.1.1 no such user"],
    ["refuses them, and is then taken to refuse everybody", "20", "550 5.1.1 no such user"],
    ["puts them off", "0", "451 4.7.1 later"],
  ])(
    "of 300 mailboxes that one client asks for, a server that %s is asked for 60",
    async (_, guard, text) => {
      await using rig = await openDirectRig(engine, { EMAIL_REFUSAL_GUARD: guard });
      rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text } });
      const answers = await times(300, (index) => rig.ask(`user${index}@example.com`));
      expect(countOf(answers, "429 too_many_requests codes-per-client")).toBe(240);
      expect(rig.recipients.size).toBe(60);
      expect(await rig.ask("late@example.com")).toBe("429 too_many_requests codes-per-client");
    },
    60_000,
  );

  test.each([
    ["the connection", { at: "connect", does: { kind: "reply", text: "554 5.7.1 no" } }],
    ["the sender", { at: "mail", does: { kind: "reply", text: "550 5.7.1 no" } }],
    ["every mail for now", { at: "rcpt", does: { kind: "reply", text: "451 4.3.0 later" } }],
  ] as const)(
    "five asks while the server refuses %s leave five codes for afterwards",
    async (_, rule) => {
      await using rig = await openDirectRig(engine, { AUTH_CODE_REPEAT_WINDOW: "0s" });
      rig.sink.misbehave(rule);
      const failed = await times(5, () => rig.ask("ana@example.com"));
      expect(failed).toEqual(Array<string>(5).fill("503 mail_unavailable"));
      rig.sink.setBehaviour([]);
      expect(await askInTurn(rig, "ana@example.com", 6)).toEqual([
        ...Array<string>(5).fill("200"),
        "429 too_many_codes codes-per-email",
      ]);
    },
    60_000,
  );

  test("asks that nobody could take cost the client nothing", async () => {
    await using rig = await openDirectRig(engine, { AUTH_CODES_PER_CLIENT: "2" });
    await rig.sink.refuse();
    const failed: string[] = [];
    while (failed.length < 6) failed.push(await rig.ask(`user${failed.length}@example.com`));
    expect(failed).toEqual(Array<string>(6).fill("503 mail_unavailable"));
    await rig.sink.listen();
    const answers = await times(3, (index) => rig.ask(`later${index}@example.com`));
    expect(countOf(answers, "200")).toBe(2);
  }, 60_000);
});

test.skipIf(program === "")(
  "a mail that the server has, and has yet to answer, is one that was sent",
  async () => {
    await using rig = await openDirectRig("SQLite");
    rig.sink.misbehave({ at: "dot", does: { kind: "delay", ms: 15_000 }, times: 1 });
    const startedAt = performance.now();
    expect(await rig.ask("ana@example.com")).toBe("200");
    expect(performance.now() - startedAt).toBeLessThan(12_500);
    await rig.sink.refuse();
  },
  30_000,
);
