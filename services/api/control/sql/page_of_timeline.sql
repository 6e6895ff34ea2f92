SELECT version, sequence, type, status, progress_percent, attempt, occurred_at, recorded_at, actor,
    data -> 'requested_by' AS requested_by, data
FROM timeline
WHERE instance_id = $1 AND version > $2
ORDER BY version
LIMIT $3
