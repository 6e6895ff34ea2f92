SELECT version, sequence, type, status, wanted, revision, occurred_at, recorded_at, actor,
    data -> 'requested_by' AS requested_by, data
FROM deployment_timeline
WHERE deployment_id = $1 AND version > $2
ORDER BY version
LIMIT $3
