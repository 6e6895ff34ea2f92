-- Deleted deployments without replicas, whose whole history is projected. $3: the status of deleted ones.
SELECT id, version, sequence
FROM deployments
WHERE id = ANY ($1::uuid[])
    AND updated_at < $2
    AND status = $3
    AND snapshot -> 'replicas' = '[]'
    AND version = (SELECT count(*) FROM deployment_timeline WHERE deployment_id = deployments.id)
ORDER BY sequence;
