DELETE FROM api_keys
WHERE id = $1
RETURNING
    id, name, role, organization_id, prefix, requests_per_minute, tokens_per_minute, max_concurrent, allowed_models,
    created_at
