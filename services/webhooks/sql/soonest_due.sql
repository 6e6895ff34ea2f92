-- When the next message is due that nobody is sending; null: none waits.
SELECT min(greatest(due.next_try_at, due.claimed_until, due.not_before))
FROM (
    SELECT one.claimed_until, one.not_before, (
        SELECT min(delivery.next_try_at)
        FROM webhook_deliveries AS delivery
        WHERE delivery.webhook_id = one.id AND delivery.state = 'pending' AND delivery.kind <> 'test'
    ) AS next_try_at
    FROM webhooks AS one
    WHERE one.enabled
    UNION ALL
    SELECT one.claimed_until, NULL, delivery.next_try_at
    FROM webhook_deliveries AS delivery
    INNER JOIN webhooks AS one ON one.id = delivery.webhook_id
    WHERE delivery.state = 'pending' AND delivery.kind = 'test'
) AS due
WHERE due.next_try_at IS NOT NULL;
