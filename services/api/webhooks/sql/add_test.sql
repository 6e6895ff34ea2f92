INSERT INTO webhook_deliveries (id, webhook_id, kind, message_id, type, message, next_try_at, created_at)
VALUES ($1, $2, 'test', $3, $4, $5, $6, $6)
RETURNING
    id, kind, message_id, type, sequence, state, tries, next_try_at, status, reason, created_at, tried_at, finished_at
