SELECT id, slug, name, max_instances, spend_per_hour, spend_per_month, at_limit, created_at
FROM organizations
ORDER BY created_at DESC, id DESC
