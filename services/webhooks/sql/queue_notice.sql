INSERT INTO webhook_deliveries (id, webhook_id, kind, message_id, type, message, next_try_at, created_at)
VALUES ($1, $2, 'notice', $3, $4, $5, $6, $6)
ON CONFLICT (id) DO NOTHING;
