-- Changes only the columns in $2. Null removes a limit.
UPDATE organizations
SET (name, max_instances, spend_per_hour, spend_per_month, at_limit) = (
    SELECT changed.name, changed.max_instances, changed.spend_per_hour, changed.spend_per_month, changed.at_limit
    FROM jsonb_populate_record(organizations, $2::jsonb) AS changed
)
WHERE id = $1
RETURNING id, slug, name, max_instances, spend_per_hour, spend_per_month, at_limit, created_at
