INSERT INTO deployments AS held (
    id, version, sequence, organization_id, name, model, status, wanted, revision, created_at, updated_at, snapshot
)
SELECT *
FROM unnest(
    $1::uuid[], $2::integer[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::integer[],
    $9::integer[], $10::timestamptz[], $11::timestamptz[], $12::text[]::jsonb[]
)
ON CONFLICT (id) DO UPDATE
SET version = excluded.version,
    sequence = excluded.sequence,
    organization_id = excluded.organization_id,
    name = excluded.name,
    model = excluded.model,
    status = excluded.status,
    wanted = excluded.wanted,
    revision = excluded.revision,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    snapshot = excluded.snapshot
WHERE held.version < excluded.version;
