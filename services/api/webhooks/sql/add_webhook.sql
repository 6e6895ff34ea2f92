INSERT INTO webhooks (id, organization_id, url, description, events, models, organizations, after_sequence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
