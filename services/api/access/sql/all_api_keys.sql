SELECT
    id, name, role, organization_id, prefix, requests_per_minute, tokens_per_minute, max_concurrent, allowed_models,
    created_at, key_hash
FROM api_keys
