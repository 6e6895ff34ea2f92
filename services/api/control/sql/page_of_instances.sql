-- $4: these statuses only; if null, all but those in $7.
SELECT snapshot, created_at, id
FROM instances
WHERE ($4::text[] IS NULL AND status <> ALL ($7::text[]) OR status = ANY ($4))
  AND ($5::text IS NULL OR model = $5)
  AND ($6::uuid IS NULL OR organization_id = $6)
  AND ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid))
ORDER BY created_at DESC, id DESC
LIMIT $3
