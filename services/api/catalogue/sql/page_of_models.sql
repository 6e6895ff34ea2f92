SELECT id, model, task, gated, parameters, weights_bytes, trust_remote_code, created_at
FROM models
WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $3
