import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openInbox } from "../../src/email/mailer/inbox/inbox.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

export interface DevProcess extends AsyncDisposable {
  readonly directory: string;
  readonly authUrl: string;
  readonly emailUrl: string;
  readonly process: InstantProcess;
  requestCode(email: string): Promise<Response>;
  /** The code of the newest mail in the inbox, once there is one. */
  newestCode(): Promise<string>;
  /**
   * Does `act`, waits for the next mail to this address that holds a code, and returns the code:
   * never that of a mail which was in the inbox before.
   */
  codeAfter(email: string, act: () => Promise<unknown>): Promise<string>;
}

const codePattern = /\b\d{6}\b/;

/** `instant dev` of the built program in an empty directory, on free ports. */
export async function openDevProcess(
  program: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<DevProcess> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };
  const options = { program, directory: path, environment: { ...ports, ...environment } };
  const started = stack.use(new InstantProcess(["dev"], options));
  const urlAfter = (words: string) =>
    eventually(`dev prints the address of its ${words}`, () => {
      return new RegExp(`${words} +(http://[^\\s/]+)`).exec(started.output)?.[1];
    });
  const authUrl = await urlAfter("Sign-in API");
  const emailUrl = await urlAfter("Health");
  const database = stack.use(await openSqlite(join(path, ".instant", "inbox.sqlite")));
  const inbox = await openInbox({ database });
  const opened = stack.move();
  return {
    directory: path,
    authUrl,
    emailUrl,
    process: started,
    requestCode: (email) =>
      fetch(`${authUrl}/auth/request-code`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ email }),
      }),
    newestCode: () => {
      return eventually("a code is in the log", () => {
        const [newest] = started.findLogs("Email kept in the inbox").toReversed();
        return codePattern.exec(String(newest?.["text"] ?? ""))?.[0];
      });
    },
    codeAfter: async (email, act) => {
      const newestBefore = inbox.list(1)[0]?.id ?? 0;
      await act();
      return eventually(`a mail with a code comes to ${email}`, () => {
        const fresh = inbox.list(100).filter(({ id, to }) => id > newestBefore && to === email);
        return fresh.map(({ text }) => codePattern.exec(text)?.[0]).find(Boolean);
      });
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
