INSERT INTO api_keys (
    id, name, role, prefix, key_hash,
    organization_id, requests_per_minute, tokens_per_minute, max_concurrent, allowed_models
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING
    id, name, role, organization_id, prefix, requests_per_minute, tokens_per_minute, max_concurrent, allowed_models,
    created_at
