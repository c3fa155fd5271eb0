CREATE TABLE :"schema".auth_users (
  id uuid PRIMARY KEY,
  email text NOT NULL CONSTRAINT auth_users_email UNIQUE,
  username text,
  username_key text CONSTRAINT auth_users_username UNIQUE,
  created_at timestamptz NOT NULL,
  last_sign_in_at timestamptz NOT NULL
);
