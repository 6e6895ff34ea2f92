SELECT
    (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending') AS waiting,
    (SELECT count(*) FROM webhooks WHERE switched_off IN ('failing', 'gone')) AS switched_off,
    (SELECT count(*) FROM webhooks WHERE enabled AND failures > 0) AS failing;
