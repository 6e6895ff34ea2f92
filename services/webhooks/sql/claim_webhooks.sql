-- Claims webhooks that have something due; each claim's name is new, so that a claim that has ended is not renewed.
UPDATE webhooks
SET claimed_by = gen_random_uuid(), claimed_until = $2
WHERE id IN (
    SELECT one.id
    FROM webhooks AS one
    WHERE (one.claimed_until IS NULL OR one.claimed_until <= $1)
        AND EXISTS (
            SELECT FROM webhook_deliveries AS delivery
            WHERE delivery.webhook_id = one.id
                AND delivery.state = 'pending'
                AND delivery.next_try_at <= $1
                AND (
                    delivery.kind = 'test'
                    OR (one.enabled AND (one.not_before IS NULL OR one.not_before <= $1))
                )
        )
    ORDER BY one.claimed_until NULLS FIRST
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING id, claimed_by;
