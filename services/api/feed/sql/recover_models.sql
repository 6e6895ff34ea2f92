-- The models of instances that are not gone ($1: the statuses of those that are), as far as their events tell them.
INSERT INTO models (id, model, task, gated, weights_bytes, trust_remote_code)
SELECT DISTINCT ON (model)
    gen_random_uuid(),
    model,
    snapshot #>> '{specification,task}',
    coalesce((snapshot #>> '{findings,gated}')::boolean, (snapshot #>> '{specification,gated}')::boolean, false),
    (snapshot #>> '{findings,weights_bytes}')::bigint,
    coalesce((snapshot #>> '{findings,trust_remote_code}')::boolean, false)
FROM instances
WHERE status <> ALL ($1::text[])
ORDER BY model, created_at DESC
ON CONFLICT (model) DO NOTHING
