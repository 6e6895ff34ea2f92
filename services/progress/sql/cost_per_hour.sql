-- What the servers that are on cost in an hour. $1: the statuses in which there may be one.
SELECT snapshot ->> 'currency' AS currency, sum((snapshot ->> 'hourly_price')::numeric) AS price
FROM instances
WHERE status = ANY ($1::text[])
    AND snapshot ->> 'hourly_price' IS NOT NULL
    AND snapshot ->> 'currency' IS NOT NULL
    AND jsonb_array_length(snapshot -> 'powered') > 0
    AND snapshot #> '{powered,-1,until}' = 'null'::jsonb
GROUP BY 1;
