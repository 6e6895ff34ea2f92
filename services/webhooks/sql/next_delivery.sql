-- Renews the claim, and gives the next delivery that is due. Tests come first; the others in the order of their events.
WITH held AS (
    UPDATE webhooks SET claimed_until = $4
    WHERE id = $1 AND claimed_by = $2 AND claimed_until > $3
    RETURNING id, url, secret_number, former_secret_until, failures, enabled, not_before
)

(
    SELECT
        delivery.id, delivery.kind, delivery.message_id, delivery.type, delivery.sequence, delivery.message,
        delivery.tries, held.url, held.secret_number, held.former_secret_until, held.failures
    FROM held
    INNER JOIN webhook_deliveries AS delivery ON delivery.webhook_id = held.id
    WHERE delivery.state = 'pending' AND delivery.kind = 'test' AND delivery.next_try_at <= $3
    LIMIT 1
)
UNION ALL
(
    SELECT
        delivery.id, delivery.kind, delivery.message_id, delivery.type, delivery.sequence, delivery.message,
        delivery.tries, held.url, held.secret_number, held.former_secret_until, held.failures
    FROM held
    INNER JOIN webhook_deliveries AS delivery ON delivery.webhook_id = held.id
    WHERE delivery.state = 'pending'
        AND delivery.kind <> 'test'
        AND delivery.next_try_at <= $3
        AND held.enabled
        AND (held.not_before IS NULL OR held.not_before <= $3)
    ORDER BY delivery.created_at, delivery.sequence
    LIMIT 1
)
LIMIT 1;
