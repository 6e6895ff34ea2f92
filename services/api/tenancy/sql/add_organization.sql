INSERT INTO organizations (id, slug, name, max_instances, spend_per_hour, spend_per_month, at_limit)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (slug) DO NOTHING
RETURNING id, slug, name, max_instances, spend_per_hour, spend_per_month, at_limit, created_at
