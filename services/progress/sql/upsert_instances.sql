INSERT INTO instances AS held (
    id, version, sequence, organization_id, name, model, provider, zone, instance_type, status, progress_percent,
    step, attempt, created_at, updated_at, ready_at, ended_at, snapshot
)
SELECT *
FROM unnest(
    $1::uuid[], $2::integer[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::smallint[], $12::text[], $13::integer[], $14::timestamptz[], $15::timestamptz[],
    $16::timestamptz[], $17::timestamptz[], $18::text[]::jsonb[]
)
ON CONFLICT (id) DO UPDATE
SET version = excluded.version,
    sequence = excluded.sequence,
    organization_id = excluded.organization_id,
    name = excluded.name,
    model = excluded.model,
    provider = excluded.provider,
    zone = excluded.zone,
    instance_type = excluded.instance_type,
    status = excluded.status,
    progress_percent = excluded.progress_percent,
    step = excluded.step,
    attempt = excluded.attempt,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    ready_at = excluded.ready_at,
    ended_at = excluded.ended_at,
    snapshot = excluded.snapshot
WHERE held.version < excluded.version;
