import type { Session, SessionPolicy } from "./session-store.ts";
import { sessionEndsAt } from "./session-store.ts";

/** A session in the list of a user's, which `current` asked for. */
export function sessionResponse(session: Session, current: Session) {
  return { ...shown(session), current: session.id === current.id };
}

/** The session of the request. */
export function currentSessionResponse(session: Session, policy: SessionPolicy) {
  return { ...shown(session), expires_at: timeOf(sessionEndsAt(session, policy)) };
}

function shown({ id, device, createdAt, usedAt }: Session) {
  return { id, device, created_at: timeOf(createdAt), last_used_at: timeOf(usedAt) };
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}
