INSERT INTO timeline (
    instance_id, version, sequence, type, status, progress_percent, step, attempt, occurred_at, recorded_at, actor,
    data
)
SELECT *
FROM unnest(
    $1::uuid[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::integer[],
    $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[]::jsonb[]
)
ON CONFLICT (instance_id, version) DO NOTHING;
