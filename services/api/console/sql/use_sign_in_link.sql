-- Returns a row if the link was not used before. Expired links are deleted.
WITH forgotten AS (DELETE FROM used_sign_in_links WHERE expires_at < now())
INSERT INTO used_sign_in_links (id, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT (id) DO NOTHING RETURNING id
