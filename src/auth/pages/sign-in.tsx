import type { Hono } from "hono";
import { parseEmailAddress } from "../../core/email-address.ts";
import { Button, Field } from "../../core/html/controls.tsx";
import { parseFields } from "../../core/http/body.ts";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { findSignedIn } from "../current-session.ts";
import { requestCodeBody, sendCode } from "../request-code.ts";
import { signOut } from "../session-routes.ts";
import { signIn, verifyCodeBody } from "../verify-code.ts";
import type { PlacedFlash } from "./auth-page.tsx";
import { authPage, EmailInput, FlashView, flashAt } from "./auth-page.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import { messages } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import {
  attempt,
  dropPending,
  formField,
  readFlash,
  readPending,
  setFlash,
} from "./page-context.ts";

interface SignInPageOptions {
  readonly appName: string;
  readonly flash: PlacedFlash;
  /** The prefilled address, if known. */
  readonly email: string | undefined;
}

/** The first page: the address to send the code to. */
function signInPage({ appName, flash, email }: SignInPageOptions): Response {
  const { signIn } = messages;
  const { done, failed, typed } = flash;
  const atField = typed !== undefined && failed !== undefined;
  return authPage({
    appName,
    title: signIn.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{signIn.title}</h1>
        <FlashView flash={atField ? {} : flash} />
        <p class="lead">{signIn.lead}</p>
        <form method="post" action="/sign-in" class="stack" novalidate>
          <Field
            id="email"
            label={signIn.address}
            error={atField ? failed : undefined}
            input={(attributes) => (
              <EmailInput
                {...attributes}
                {...(done === undefined ? { autofocus: true } : {})}
                value={typed ?? email ?? ""}
              />
            )}
          />
          <Button variant="main" wide>
            {signIn.button}
          </Button>
        </form>
        <p class="hint">{signIn.newHere}</p>
      </div>
    ),
  });
}

/** `/`: the address, then the code; and signing out. */
export function addSignInRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const step: CodeStep = {
    purpose: "sign_in",
    send: async (context, typed) => {
      const { email } = parseFields(requestCodeBody, { email: typed });
      await sendCode(context, deps, { email, purpose: "sign_in" });
    },
    enter: (context, email, code) =>
      signIn(context, deps, parseFields(verifyCodeBody, { email, code })),
    done: (context) => context.redirect("/account", 303),
  };
  app.get("/", async (context) => {
    if ((await findSignedIn(context, deps)) !== undefined) return context.redirect("/account", 303);
    const flash = flashAt(readFlash(context, deps), "sign_in", deps.clock.now());
    const pending = readPending(context, deps);
    const email = pending?.purpose === "sign_in" ? pending.email : undefined;
    return signInPage({ appName: deps.appName, flash, email });
  });
  app.get("/sign-in", (context) => context.redirect("/", 303));
  app.post("/sign-in", async (context) => {
    const typed = await formField(context, "email");
    const email = parseEmailAddress(typed) ?? typed;
    const failedAt = { place: "sign_in", path: "/" } as const;
    return startCodeStep(context, deps, step, { email, failedAt, typed });
  });
  addCodeStep(app, deps, step);
  app.post("/sign-out", async (context) => {
    const failure = await attempt(context, deps, () => signOut(context, deps));
    if (failure !== undefined) {
      setFlash(context, deps, { place: "sessions", failed: "unavailable" });
      return context.redirect("/account", 303);
    }
    dropPending(context, deps);
    setFlash(context, deps, { place: "sign_in", done: "signed_out" });
    return context.redirect("/", 303);
  });
}
