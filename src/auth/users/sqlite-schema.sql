CREATE TABLE auth_users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  username TEXT,
  username_key TEXT UNIQUE,
  created_at INTEGER NOT NULL,
  last_sign_in_at INTEGER NOT NULL
) STRICT;
