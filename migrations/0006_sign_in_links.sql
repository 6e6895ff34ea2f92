-- Why: a link that signs in to the console works once, whichever api process it comes to. Which ones there are is in
-- their signatures; only those that were used are kept here, until they would have expired anyway.

CREATE TABLE used_sign_in_links (
    id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
