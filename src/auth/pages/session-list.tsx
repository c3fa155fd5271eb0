import { Button } from "../../core/html/controls.tsx";
import { agoWords } from "./moment.ts";
import { words } from "./words.ts";

/** A session as its owner sees it. Times in Unix ms. */
export interface ShownSession {
  readonly id: string;
  readonly device: string;
  readonly createdAt: number;
  readonly usedAt: number;
  readonly current: boolean;
}

/** Every session with a way to end it; the one of this device is ended by signing out. */
export function SessionList({ sessions, now }: { sessions: readonly ShownSession[]; now: number }) {
  const own = words.account.sessions;
  return (
    <>
      <ul class="sessions">
        {sessions.map((session) => (
          <li>
            <div>
              <p class="device">
                <strong>{session.device}</strong>
                {session.current && <span class="badge">{own.current}</span>}
              </p>
              <p class="hint">
                {own.times(agoWords(now - session.usedAt), agoWords(now - session.createdAt))}
              </p>
            </div>
            {!session.current && <Revoke session={session} now={now} />}
          </li>
        ))}
      </ul>
      {sessions.some((session) => !session.current) && (
        <form method="post" action="/account/sessions/revoke-others">
          <Button look="plain">{own.others}</Button>
        </form>
      )}
    </>
  );
}

function Revoke({ session, now }: { readonly session: ShownSession; readonly now: number }) {
  const { revoke, revokeSpoken } = words.account.sessions;
  return (
    <form method="post" action="/account/sessions/revoke">
      <input type="hidden" name="id" value={session.id} />
      <Button look="plain" spoken={revokeSpoken(session.device, agoWords(now - session.usedAt))}>
        {revoke}
      </Button>
    </form>
  );
}
