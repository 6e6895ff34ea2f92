SELECT
    id, kind, message_id, type, sequence, state, tries, CASE WHEN state = 'pending' THEN next_try_at END AS next_try_at,
    status, reason, created_at, tried_at, finished_at
FROM webhook_deliveries
WHERE webhook_id = $1
    AND ($2::text IS NULL OR state = $2)
    AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC
LIMIT $5
