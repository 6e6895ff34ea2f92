-- Fills in unknown figures of a model that is in the catalogue. It adds no model.
UPDATE models
SET parameters = coalesce(parameters, $2), weights_bytes = coalesce(weights_bytes, $3)
WHERE model = $1
RETURNING id, model, task, gated, parameters, weights_bytes, trust_remote_code, created_at
