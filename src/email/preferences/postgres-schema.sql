CREATE TABLE :"schema".email_declined (
  recipient_key text NOT NULL,
  event_type text NOT NULL,
  declined_at timestamptz NOT NULL,
  PRIMARY KEY (recipient_key, event_type)
);
