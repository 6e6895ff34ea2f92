SELECT at, mean, peak, in_flight, held, arriving_per_s, refused_per_s, ready
FROM deployment_load
WHERE deployment_id = $1 AND at >= $2
ORDER BY at
