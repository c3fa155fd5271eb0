import { z } from "zod";

/**
 * Stores the users: one per address, created by the first sign-in, until deleted.
 *
 * Promises, tested by `tests/contract/user-store.ts` for every adapter:
 * - However many sign-ins of one address run at once, there is one user, and one of them created
 *   it.
 * - No two users have the same address, or usernames that differ only in case.
 * - A sign-in sets the username of a user without one, and never changes one.
 * - A change to another user's name or address has no effect, however many run at once.
 * - A change of address that was given an `undo` can be undone for `emailUndoMs`, once: that sets the
 *   address before it, and forgets it and all later changes of the user, of which none can be undone
 *   any more. So the earliest owner has the last word. Earlier changes stay.
 * - A deleted user is gone at once, with its changes; its address and username are free, and the next
 *   sign-in creates a new user with another id.
 * - Every call may be repeated.
 * Addresses are in canonical form (`parseEmailAddress`), usernames as `usernameSchema` allows.
 * Left out on purpose: closing (a store opens no resources).
 * Throws the engine's own error (`postgres_unavailable`, `sqlite_busy`) when it is unavailable.
 */
export interface UserStore {
  /** Whether it is a local file rather than a server. */
  readonly embedded: boolean;
  findById(id: string): Promise<User | undefined>;
  findByEmail(email: string): Promise<User | undefined>;
  findByUsername(username: string): Promise<User | undefined>;
  /** Users with characters beyond ASCII in their address, ordered by id, after the id `after`. */
  findBeyondAscii(options: {
    readonly after: string | undefined;
    readonly limit: number;
  }): Promise<readonly User[]>;
  signIn(request: SignInRequest): Promise<SignInOutcome>;
  setUsername(change: { readonly id: string; readonly username: string }): Promise<ChangeOutcome>;
  setEmail(change: SetEmailRequest): Promise<ChangeOutcome>;
  /** The change that `undo` names; undefined when it cannot be undone (any more). */
  findEmailChange(undo: string): Promise<EmailChange | undefined>;
  /** The time of the user's newest change that can be undone. */
  findEmailChangedAt(id: string): Promise<number | undefined>;
  /** `gone`: there is no such change (any more). */
  undoEmailChange(change: { readonly id: string; readonly undo: string }): Promise<ChangeOutcome>;
  /** Whether there was such a user. */
  delete(id: string): Promise<boolean>;
  /** Throws when the store does not answer within `deadlineMs`. */
  ping(options: { readonly deadlineMs: number }): Promise<void>;
}

/** Times in Unix ms. */
export interface User {
  readonly id: string;
  readonly email: string;
  /** Undefined until one is chosen. */
  readonly username: string | undefined;
  readonly createdAt: number;
  readonly lastSignInAt: number;
}

export interface SetEmailRequest {
  readonly id: string;
  /** The address that is changed: a user who has another one by now is `gone`. */
  readonly from: string;
  readonly email: string;
  /** A random name, by which the change can be undone; undefined: it cannot. */
  readonly undo: string | undefined;
}

export interface EmailChange {
  readonly userId: string;
  /** The address before it. */
  readonly email: string;
}

/** 72 h: long enough for a weekend away from one's mail. */
export const emailUndoMs = 72 * 60 * 60 * 1000;

export interface SignInRequest {
  readonly email: string;
  readonly username: string | undefined;
}

export interface SignInOutcome {
  readonly user: User;
  /** Whether this was the first sign-in of the address. */
  readonly created: boolean;
}

export type ChangeOutcome =
  | { readonly kind: "changed"; readonly user: User }
  /** It belongs to another user. */
  | { readonly kind: "taken" }
  /** There is no such user (any more). */
  | { readonly kind: "gone" };

const bound =
  "1 to 32 letters of a to z, digits, dots, dashes and underscores, beginning and ending with a letter or digit";

/** ASCII only, so that no two names look the same; stored as written, compared in lower case. */
export const usernameSchema = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?$/, `must be ${bound}`);

/** The form in which usernames are compared. */
export function usernameKeyOf(username: string): string {
  return username.toLowerCase();
}
