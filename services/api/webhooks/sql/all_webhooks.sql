SELECT
    one.id, one.organization_id, one.url, one.description, one.events, one.models, one.organizations, one.enabled,
    one.switched_off, one.switched_off_at, one.failing_since, one.failures, one.secret_number, one.former_secret_until,
    one.created_at, (
        SELECT count(*)
        FROM webhook_deliveries AS delivery
        WHERE delivery.webhook_id = one.id AND delivery.state = 'pending'
    ) AS waiting
FROM webhooks AS one
WHERE $1::uuid IS NULL OR one.organization_id = $1
ORDER BY one.created_at DESC, one.id DESC
