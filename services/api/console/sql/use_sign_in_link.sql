-- Returns a row if the link was not used before. Links are deleted a day after they expired: the database's clock may
-- be ahead of the api's, by which they expire, and a used link must not be forgotten while it is still valid there.
WITH forgotten AS (DELETE FROM used_sign_in_links WHERE expires_at < now() - interval '1 day')
INSERT INTO used_sign_in_links (id, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT (id) DO NOTHING RETURNING id
