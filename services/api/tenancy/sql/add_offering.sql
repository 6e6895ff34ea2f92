INSERT INTO offerings (id, organization_id, code, model_id, active, deployment)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (organization_id, code) DO NOTHING
RETURNING id, organization_id, code, model_id, deployment, active, created_at
