INSERT INTO deployment_timeline (
    deployment_id, version, sequence, type, status, wanted, revision, occurred_at, recorded_at, actor, data
)
SELECT *
FROM unnest(
    $1::uuid[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::integer[],
    $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[]::jsonb[]
)
ON CONFLICT (deployment_id, version) DO NOTHING;
