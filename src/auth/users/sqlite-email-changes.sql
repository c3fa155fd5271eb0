CREATE TABLE auth_email_changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL,
  email TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_email_changes_user ON auth_email_changes (user_id);
