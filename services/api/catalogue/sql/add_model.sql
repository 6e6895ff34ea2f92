-- For a model that is there already, only unknown figures are filled in, and the trust is set if it is given.
INSERT INTO models (id, model, task, gated, parameters, weights_bytes, trust_remote_code)
VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, false))
ON CONFLICT (model) DO UPDATE SET
    parameters = coalesce(models.parameters, excluded.parameters),
    weights_bytes = coalesce(models.weights_bytes, excluded.weights_bytes),
    trust_remote_code = coalesce($7, models.trust_remote_code)
RETURNING id, model, task, gated, parameters, weights_bytes, trust_remote_code, created_at
