SELECT snapshot
FROM instances
WHERE organization_id = $1 AND (status NOT IN ('terminated', 'archived') OR id = ANY ($2::uuid[]))
