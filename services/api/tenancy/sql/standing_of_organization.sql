-- $1: the organisation. $2: instances to return even if they are gone. $3: the statuses of instances that are gone.
SELECT snapshot
FROM instances
WHERE organization_id = $1 AND (status <> ALL ($3::text[]) OR id = ANY ($2::uuid[]))
