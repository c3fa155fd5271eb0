CREATE TABLE email_declined (
  recipient_key TEXT NOT NULL,
  event_type TEXT NOT NULL,
  declined_at INTEGER NOT NULL,
  PRIMARY KEY (recipient_key, event_type)
) STRICT, WITHOUT ROWID;
