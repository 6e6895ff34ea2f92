UPDATE offerings
SET model_id = coalesce($2, model_id), active = coalesce($3, active)
WHERE id = $1
RETURNING id, organization_id, code, model_id, active, created_at
