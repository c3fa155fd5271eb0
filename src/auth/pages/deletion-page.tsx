import { Button } from "../../core/html/controls.tsx";
import { authPage } from "./auth-page.tsx";
import type { PlacedNote } from "./note-view.tsx";
import { NoteView } from "./note-view.tsx";
import { words } from "./words.ts";

export interface DeletionPageOptions {
  readonly appName: string;
  readonly email: string;
  readonly note: PlacedNote;
}

/** What a deletion takes away, before the code that proves who asks. */
export function deletionPage({ appName, email, note }: DeletionPageOptions): Response {
  const { deletion } = words;
  return authPage({
    appName,
    title: deletion.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{deletion.title}</h1>
        <NoteView note={note} />
        <p class="lead">{deletion.lead}</p>
        <p class="lead">
          {deletion.proof} <strong class="address">{email}</strong>.
        </p>
        <form method="post" action="/account/delete">
          <Button look="danger" wide>
            {deletion.button}
          </Button>
        </form>
        <p class="after">
          <a href="/account">{deletion.back}</a>
        </p>
      </div>
    ),
  });
}
