import type { User } from "./user-store.ts";

/** A user as the API shows it: times in RFC 3339, `username` null until it is chosen. */
export function userResponse(user: User) {
  return {
    id: user.id,
    email: user.email,
    username: user.username ?? null,
    created_at: new Date(user.createdAt).toISOString(),
    last_sign_in_at: new Date(user.lastSignInAt).toISOString(),
  };
}
