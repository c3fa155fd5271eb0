import { eventually } from "./eventually.ts";
import { InstantProcess } from "./instant-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface DevProcess extends AsyncDisposable {
  readonly directory: string;
  readonly authUrl: string;
  readonly emailUrl: string;
  readonly process: InstantProcess;
  requestCode(email: string): Promise<Response>;
  /** The code of the newest mail in the inbox, once there is one. */
  newestCode(): Promise<string>;
}

/** `instant dev` of the built program in an empty directory, on free ports. */
export async function openDevProcess(program: string): Promise<DevProcess> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const environment = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };
  const started = stack.use(new InstantProcess(["dev"], { program, directory: path, environment }));
  const urlAfter = (words: string) =>
    eventually(`dev prints the address of its ${words}`, () => {
      return new RegExp(`${words} +(http://[^\\s/]+)`).exec(started.output)?.[1];
    });
  const authUrl = await urlAfter("Sign-in API");
  return {
    directory: path,
    authUrl,
    emailUrl: await urlAfter("Health"),
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
        return /\b\d{6}\b/.exec(String(newest?.["text"] ?? ""))?.[0];
      });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
