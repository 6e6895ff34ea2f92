SELECT id, model, task, gated, parameters, weights_bytes, trust_remote_code, created_at FROM models
