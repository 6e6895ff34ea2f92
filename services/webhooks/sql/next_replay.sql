-- The oldest one of a webhook that has not too much waiting already.
SELECT replay.id, replay.webhook_id, replay.after_sequence, replay.through_sequence
FROM webhook_replays AS replay
WHERE (
    SELECT count(*)
    FROM (
        SELECT FROM webhook_deliveries AS delivery
        WHERE delivery.webhook_id = replay.webhook_id AND delivery.state = 'pending'
        LIMIT $1
    ) AS waiting
) < $1
ORDER BY replay.created_at
LIMIT 1;
