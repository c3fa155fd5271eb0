// Where a user is signed in, as the account page lists it.
import { Button } from "../../core/html/page.tsx";
import type { Session } from "../sessions/session-store.ts";
import type { PageView } from "./page-context.tsx";
import { Form } from "./page-context.tsx";
import { deviceName } from "./page-language.ts";

export interface ShownSession extends Session {
  /** The session of this request. */
  readonly current: boolean;
}

/** Every session, with a button to end it; the current one ends by signing out. */
export function SessionList({
  view,
  sessions,
}: {
  view: PageView;
  sessions: readonly ShownSession[];
}) {
  const { messages, now, ago } = view;
  const own = messages.account.sessions;
  return (
    <>
      <ul class="sessions">
        {sessions.map((session) => (
          <li>
            <div>
              <p class="device">
                <strong>{deviceName(session.device, messages)}</strong>
                {session.current && <span class="badge">{own.current}</span>}
              </p>
              <p class="hint">
                {own.times(ago(now - session.usedAt), ago(now - session.createdAt))}
              </p>
            </div>
            {!session.current && <Revoke view={view} session={session} />}
          </li>
        ))}
      </ul>
      {sessions.some((session) => !session.current) && (
        <Form action="/account/sessions/revoke-others">
          <Button variant="plain">{own.others}</Button>
        </Form>
      )}
    </>
  );
}

function Revoke({ view, session }: { readonly view: PageView; readonly session: ShownSession }) {
  const { revoke, revokeSpoken } = view.messages.account.sessions;
  const device = deviceName(session.device, view.messages);
  return (
    <Form action="/account/sessions/revoke">
      <input type="hidden" name="id" value={session.id} />
      <Button variant="plain" spoken={revokeSpoken(device, view.ago(view.now - session.usedAt))}>
        {revoke}
      </Button>
    </Form>
  );
}
