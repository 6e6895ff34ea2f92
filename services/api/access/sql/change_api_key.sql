-- Changes only the limits in $2. Null removes a limit.
UPDATE api_keys
SET (requests_per_minute, tokens_per_minute, max_concurrent, allowed_models) = (
    SELECT changed.requests_per_minute, changed.tokens_per_minute, changed.max_concurrent, changed.allowed_models
    FROM jsonb_populate_record(api_keys, $2::jsonb) AS changed
)
WHERE id = $1
RETURNING
    id, name, role, organization_id, prefix, requests_per_minute, tokens_per_minute, max_concurrent, allowed_models,
    created_at
