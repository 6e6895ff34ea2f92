-- The cost of the times when servers were on, by UTC day. $1, $2: the first and the last day. $3: now, in UTC: the end
-- for servers that are still on. $4: this organisation only.
SELECT
    day::date AS day,
    organization_id,
    snapshot ->> 'currency' AS currency,
    round(sum(
        (snapshot ->> 'hourly_price')::numeric
        * extract(epoch FROM least(ended, day + interval '1 day') - greatest(began, day)) / 3600
    ), 4) AS cost
FROM instances
CROSS JOIN LATERAL jsonb_to_recordset(snapshot -> 'powered') AS period (since timestamptz, until timestamptz)
CROSS JOIN LATERAL (
    SELECT since AT TIME ZONE 'UTC' AS began, least(coalesce(until AT TIME ZONE 'UTC', $3), $3) AS ended
) AS powered
CROSS JOIN LATERAL generate_series(
    greatest(date_trunc('day', began), $1::date::timestamp), least(ended, $2::date::timestamp), interval '1 day'
) AS day
WHERE snapshot ->> 'hourly_price' IS NOT NULL AND began < ended AND ($4::uuid IS NULL OR organization_id = $4)
GROUP BY 1, 2, 3
ORDER BY 1 DESC, 2, 3
