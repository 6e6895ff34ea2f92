-- The update changes nothing; it makes RETURNING answer for a model that another process has just added.
INSERT INTO models (id, model, task, gated)
VALUES ($1, $2, $3, $4)
ON CONFLICT (model) DO UPDATE SET model = excluded.model
RETURNING id, model, task, gated, created_at
