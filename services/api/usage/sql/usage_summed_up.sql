-- $1, $2: the first and the last day, in UTC; $3: by what it is summed up; $4, $5: only of this organisation, only of this key;
-- $6: the most rows; $7: the lowest status of a failure; $8: the status of a request that its client left, which is no failure.
SELECT
    CASE WHEN 'day' = ANY ($3::text[]) THEN (at AT TIME ZONE 'UTC')::date END AS day,
    CASE WHEN 'key' = ANY ($3) THEN key_id END AS key_id,
    CASE WHEN 'organization' = ANY ($3) THEN organization_id END AS organization_id,
    CASE WHEN 'model' = ANY ($3) THEN model END AS model,
    CASE WHEN 'instance' = ANY ($3) THEN instance_id END AS instance_id,
    count(*) AS requests,
    count(*) FILTER (WHERE status >= $7 AND status <> $8) AS failed_requests,
    coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum(completion_tokens), 0) AS completion_tokens,
    count(*) FILTER (WHERE estimated OR prompt_tokens IS NULL) AS requests_untold,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY first_byte_ms) AS first_byte_ms,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_ms) AS duration_ms
FROM usage
WHERE at >= $1::date::timestamp AT TIME ZONE 'UTC'
  AND at < ($2::date + 1)::timestamp AT TIME ZONE 'UTC'
  AND ($4::uuid IS NULL OR organization_id = $4)
  AND ($5::uuid IS NULL OR key_id = $5)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1 DESC, requests DESC, 2, 3, 4, 5
LIMIT $6
