SELECT id, organization_id, code, model_id, deployment, active, created_at
FROM offerings
ORDER BY created_at DESC, id DESC
