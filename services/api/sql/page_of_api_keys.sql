SELECT id, name, role, prefix, created_at
FROM api_keys
WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $3
