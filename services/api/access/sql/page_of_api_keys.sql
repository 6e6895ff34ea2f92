SELECT
    id, name, role, organization_id, prefix, requests_per_minute, tokens_per_minute, max_concurrent, allowed_models,
    created_at
FROM api_keys
WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $3
