DELETE FROM offerings
WHERE id = $1
RETURNING id, organization_id, code, model_id, deployment, active, created_at
