DELETE FROM organizations
WHERE id = $1
RETURNING id, slug, name, max_instances, spend_per_hour, spend_per_month, at_limit, created_at
