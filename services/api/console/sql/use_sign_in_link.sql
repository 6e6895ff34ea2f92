-- A row when nobody used it before; what has expired need not be remembered.
WITH forgotten AS (DELETE FROM used_sign_in_links WHERE expires_at < now())
INSERT INTO used_sign_in_links (id, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT (id) DO NOTHING RETURNING id
