UPDATE offerings
SET
    model_id = coalesce($2, model_id),
    deployment = CASE WHEN $2::uuid IS NULL THEN deployment ELSE $4 END,
    active = coalesce($3, active)
WHERE id = $1
RETURNING id, organization_id, code, model_id, deployment, active, created_at
