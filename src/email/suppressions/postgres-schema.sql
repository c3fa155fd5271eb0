CREATE TABLE :"schema".email_suppressions (
  recipient_key text PRIMARY KEY,
  address text,
  reason text NOT NULL,
  note text,
  created_at timestamptz NOT NULL,
  expires_at timestamptz
);
CREATE INDEX email_suppressions_created_at ON :"schema".email_suppressions (created_at);
CREATE INDEX email_suppressions_expires_at ON :"schema".email_suppressions (expires_at);
