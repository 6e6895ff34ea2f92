-- Each a microsecond behind the one before, so that they stay in order. A webhook that was deleted meanwhile gets nothing; what was queued before stays as it is.
INSERT INTO webhook_deliveries (id, webhook_id, kind, message_id, type, sequence, next_try_at, created_at)
SELECT
    queued.id, queued.webhook_id, $6, queued.message_id, queued.type, queued.sequence, $7::timestamptz,
    $7::timestamptz + queued.number * interval '1 microsecond'
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[])
    WITH ORDINALITY AS queued (id, webhook_id, message_id, type, sequence, number)
WHERE EXISTS (SELECT FROM webhooks AS one WHERE one.id = queued.webhook_id)
ON CONFLICT (id) DO NOTHING;
