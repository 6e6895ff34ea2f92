-- The cost of the times when servers were on and machine images were kept, by UTC day. $1, $2: the first and the last
-- day. $3: now, in UTC: the end for servers that are still on. $4: this organisation only.
SELECT
    day::date AS day,
    organization_id,
    currency,
    round(coalesce(sum(hourly * hours) FILTER (WHERE of_server), 0), 4) AS cost,
    round(coalesce(sum(hourly * hours) FILTER (WHERE NOT of_server), 0), 4) AS machine_images
FROM (
    SELECT
        TRUE AS of_server,
        organization_id,
        snapshot ->> 'currency' AS currency,
        (snapshot ->> 'hourly_price')::numeric AS hourly,
        since,
        until
    FROM instances
    CROSS JOIN LATERAL jsonb_to_recordset(snapshot -> 'powered') AS period (since timestamptz, until timestamptz)
    UNION ALL
    -- 730 hours a month, as those count who set the price.
    SELECT
        FALSE,
        organization_id,
        snapshot #>> '{stored_image,currency}',
        (snapshot #>> '{stored_image,monthly_price}')::numeric / 730,
        (snapshot #>> '{stored_image,stored_at}')::timestamptz,
        (snapshot #>> '{stored_image,deleted_at}')::timestamptz
    FROM instances
    WHERE snapshot #>> '{stored_image,id}' IS NOT NULL
) AS paid
CROSS JOIN LATERAL (
    SELECT since AT TIME ZONE 'UTC' AS began, least(coalesce(until AT TIME ZONE 'UTC', $3), $3) AS ended
) AS period
CROSS JOIN LATERAL generate_series(
    greatest(date_trunc('day', began), $1::date::timestamp), least(ended, $2::date::timestamp), interval '1 day'
) AS day
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM least(ended, day + interval '1 day') - greatest(began, day)) / 3600)::numeric AS hours
) AS of_day
WHERE hourly IS NOT NULL AND began < ended AND ($4::uuid IS NULL OR organization_id = $4)
GROUP BY 1, 2, 3
ORDER BY 1 DESC, 2, 3
