CREATE TABLE email_suppressions (
  recipient_key TEXT PRIMARY KEY,
  address TEXT,
  reason TEXT NOT NULL,
  note TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX email_suppressions_created_at ON email_suppressions (created_at);
CREATE INDEX email_suppressions_expires_at ON email_suppressions (expires_at);
