CREATE TABLE :"schema".auth_email_changes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES :"schema".auth_users ON DELETE CASCADE,
  email text NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX auth_email_changes_user ON :"schema".auth_email_changes (user_id);
