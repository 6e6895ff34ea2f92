-- Without a next try ($5) the message is given up.
UPDATE webhook_deliveries
SET state = CASE WHEN $5::timestamptz IS NULL THEN 'undelivered' ELSE 'pending' END,
    tries = tries + 1,
    tried_at = $2::timestamptz,
    status = $3,
    reason = $4,
    next_try_at = coalesce($5, next_try_at),
    finished_at = CASE WHEN $5::timestamptz IS NULL THEN $2::timestamptz END
WHERE id = $1 AND state = 'pending';
