SELECT id, model, task, gated, created_at FROM models
