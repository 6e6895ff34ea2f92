SELECT id, organization_id, code, model_id, active, created_at FROM offerings ORDER BY created_at DESC, id DESC
