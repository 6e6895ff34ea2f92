UPDATE webhook_deliveries
SET state = 'delivered', tries = tries + 1, tried_at = $2, finished_at = $2, status = $3, reason = NULL
WHERE id = $1 AND state = 'pending';
