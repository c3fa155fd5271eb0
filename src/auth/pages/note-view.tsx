import { Notice } from "../../core/html/controls.tsx";
import { leftWords } from "./moment.ts";
import type { Note, NotePlace } from "./page-cookies.ts";
import { words } from "./words.ts";

/** What a page shows of the last form: a notice above its place, or an error at its field. */
export interface PlacedNote {
  readonly done?: string;
  readonly failed?: string;
  readonly typed?: string;
}

export function noteAt(note: Note | undefined, place: NotePlace, now: number): PlacedNote {
  if (note?.place !== place) return {};
  return {
    ...(note.done === undefined ? {} : { done: words.done[note.done] }),
    ...(note.failed === undefined
      ? {}
      : { failed: words.failed[note.failed](leftWords((note.until ?? now) - now)) }),
    ...(note.typed === undefined ? {} : { typed: note.typed }),
  };
}

/** Both kinds, where there is no field that an error belongs to. */
export function NoteView({ note }: { readonly note: PlacedNote }) {
  const { done, failed } = note;
  return (
    <>
      {done !== undefined && (
        <Notice tone="done">
          <p>{done}</p>
        </Notice>
      )}
      {failed !== undefined && (
        <Notice tone="failed">
          <p>{failed}</p>
        </Notice>
      )}
    </>
  );
}
