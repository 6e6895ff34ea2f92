-- For a model that is there already, only unknown figures are filled in.
INSERT INTO models (id, model, task, gated, parameters, weights_bytes)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (model) DO UPDATE SET
    parameters = coalesce(models.parameters, excluded.parameters),
    weights_bytes = coalesce(models.weights_bytes, excluded.weights_bytes)
RETURNING id, model, task, gated, parameters, weights_bytes, created_at
