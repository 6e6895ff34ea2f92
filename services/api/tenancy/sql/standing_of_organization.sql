-- $1: the organisation; $2: instances that are wanted although they may be gone; $3: the statuses of those.
SELECT snapshot
FROM instances
WHERE organization_id = $1 AND (status <> ALL ($3::text[]) OR id = ANY ($2::uuid[]))
