import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { needProgram } from "../../support/engines/packages.ts";
import { eventually } from "../../support/eventually.ts";
import { answersSmtp, freePort } from "../../support/smtp-answers.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import type { Measured } from "./alternate.ts";
import { Child } from "./child.ts";
import { smtpTo } from "./smtp-settings.ts";
import type { Stage } from "./stage.ts";

/** Debian keeps them where only root looks for programs. */
async function needPostfixProgram(program: string, { print }: Stage): Promise<string> {
  const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin`;
  return Bun.which(program, { PATH }) ?? (await needProgram(program, { debian: "postfix", print }));
}

/** Postfix's `smtp-sink`: takes every mail and throws it away, in C. */
export async function openPostfixSink(stage: Stage): Promise<AsyncDisposable & { port: number }> {
  const program = await needPostfixProgram("smtp-sink", stage);
  const port = freePort();
  const rights = process.getuid?.() === 0 ? ["-u", "postfix"] : [];
  const child = new Child([program, ...rights, `127.0.0.1:${port}`, "1024"], {
    directory: stage.makeDirectory(),
  });
  await eventually("smtp-sink answers", () => {
    if (child.hasEnded) throw child.failure();
    return answersSmtp(port);
  });
  return { port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** A file with a mail of a code as the program sends it, for `sendByPostfix`. */
export async function writeSampleMail(stage: Stage): Promise<string> {
  await using sink = await openSmtpSink();
  const directory = stage.makeDirectory();
  const command = [stage.program, "send-test", "--to", "person1@example.com"];
  await using child = new Child(command, { directory, environment: smtpTo(sink) });
  await child.finish();
  const path = join(directory, "mail");
  writeFileSync(path, (sink.accepted[0]?.data ?? "").replaceAll("\r\n", "\n"));
  return path;
}

/**
 * Mails a second by Postfix's `smtp-source`, in C: the mail of this file again and again, on so many
 * connections that stay open. From its start, which takes it some milliseconds, to its end.
 */
export async function sendByPostfix(
  stage: Stage,
  mail: { readonly path: string; readonly times: number },
  to: { readonly port: number; readonly connections: number },
): Promise<Measured> {
  const program = await needPostfixProgram("smtp-source", stage);
  const load = ["-c", "-d", "-s", `${to.connections}`, "-m", `${mail.times}`, "-F", mail.path];
  const people = ["-f", "noreply@example.com", "-t", "person1@example.com"];
  const startedAt = performance.now();
  await using child = new Child([program, ...load, ...people, `127.0.0.1:${to.port}`], {
    directory: stage.makeDirectory(),
  });
  await child.finish();
  const ms = performance.now() - startedAt;
  return {
    value: (mail.times * 1000) / ms,
    cpuMicros: (child.cpuMicros ?? Number.NaN) / mail.times,
  };
}
