-- Counts the instances whose server was on in these days at an unknown price. Arguments as in costs_by_day.
SELECT count(*)
FROM instances
WHERE snapshot ->> 'hourly_price' IS NULL
    AND ($4::uuid IS NULL OR organization_id = $4)
    AND EXISTS (
        SELECT
        FROM jsonb_to_recordset(snapshot -> 'powered') AS period (since timestamptz, until timestamptz)
        CROSS JOIN LATERAL (
            SELECT since AT TIME ZONE 'UTC' AS began, least(coalesce(until AT TIME ZONE 'UTC', $3), $3) AS ended
        ) AS powered
        WHERE began < ended AND ended > $1::date AND began < $2::date + interval '1 day'
    )
