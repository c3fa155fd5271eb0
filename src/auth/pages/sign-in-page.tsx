import { Button, Field } from "../../core/html/controls.tsx";
import { authPage } from "./auth-page.tsx";
import { EmailInput } from "./email-input.tsx";
import type { PlacedNote } from "./note-view.tsx";
import { NoteView } from "./note-view.tsx";
import { words } from "./words.ts";

export interface SignInPageOptions {
  readonly appName: string;
  readonly note: PlacedNote;
  /** The address to begin with, when one is known. */
  readonly email: string | undefined;
}

/** The first page: the address to which the code goes. */
export function signInPage({ appName, note, email }: SignInPageOptions): Response {
  const { signIn } = words;
  const { done, failed, typed } = note;
  const atField = typed !== undefined && failed !== undefined;
  return authPage({
    appName,
    title: signIn.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{signIn.title}</h1>
        <NoteView note={atField ? {} : note} />
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
          <Button look="main" wide>
            {signIn.button}
          </Button>
        </form>
        <p class="hint">{signIn.newHere}</p>
      </div>
    ),
  });
}
