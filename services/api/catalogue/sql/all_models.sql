SELECT id, model, task, gated, parameters, weights_bytes, created_at FROM models
