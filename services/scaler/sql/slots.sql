SELECT deployment_id, at, mean, peak
FROM deployment_load
WHERE deployment_id = ANY($1::uuid[]) AND at >= $2
ORDER BY deployment_id, at
