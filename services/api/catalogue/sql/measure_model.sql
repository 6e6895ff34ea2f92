-- Of a model that is in the catalogue, and only figures that were not known: none is put there.
UPDATE models
SET parameters = coalesce(parameters, $2), weights_bytes = coalesce(weights_bytes, $3)
WHERE model = $1
RETURNING id, model, task, gated, parameters, weights_bytes, created_at
