import { answersSmtp, parseAddress } from "./answers.ts";
import { choosePort } from "./ports.ts";
import { startDetached } from "./processes.ts";
import type { Recipe } from "./server.ts";

const usualPort = 1025;
const usualHttpPort = 1080;

/** A server that takes every mail and keeps it: ours, written for the tests. */
export const smtpSink: Recipe = {
  name: "smtp",
  usualPort,
  variable: "SMTP_HOST",
  findGiven: ({ SMTP_HOST, SMTP_PORT = "587" }) =>
    SMTP_HOST ? { SMTP_HOST, SMTP_PORT } : undefined,
  answers: ({ SMTP_HOST = "", SMTP_PORT = "" }) =>
    answersSmtp(parseAddress(`${SMTP_HOST}:${SMTP_PORT}`, usualPort)),
  start: async ({ repository, log }) => {
    const port = await choosePort(usualPort);
    const httpPort = await choosePort(usualHttpPort);
    const ports = ["--port", String(port), "--http-port", String(httpPort)];
    const program = [process.execPath, "--no-env-file", "tests/support/smtp-sink/main.ts"];
    const started = startDetached([...program, ...ports], { log, directory: repository });
    const variables = {
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(port),
      SMTP_TLS: "none",
      SMTP_SINK_URL: `http://127.0.0.1:${httpPort}`,
    };
    return { variables, process: started };
  },
};
