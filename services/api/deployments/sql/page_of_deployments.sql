-- $4: these statuses only. Filters that are null match everything. $7: the status of deleted ones, which are left out
-- when nothing of them is left.
SELECT snapshot, created_at, id
FROM deployments
WHERE ($4::text[] IS NULL OR status = ANY ($4))
  AND ($5::text IS NULL OR model = $5)
  AND ($6::uuid IS NULL OR organization_id = $6)
  AND (status <> $7 OR snapshot -> 'replicas' <> '[]')
  AND ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid))
ORDER BY created_at DESC, id DESC
LIMIT $3
