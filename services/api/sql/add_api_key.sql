INSERT INTO api_keys (id, name, role, prefix, key_hash)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, name, role, prefix, created_at
