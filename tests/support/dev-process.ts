import { eventually } from "./eventually.ts";
import { InstantProcess } from "./instant-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface DevProcess extends AsyncDisposable {
  readonly directory: string;
  readonly authUrl: string;
  readonly emailUrl: string;
  readonly process: InstantProcess;
  requestCode(email: string): Promise<Response>;
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
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
