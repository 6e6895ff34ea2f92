UPDATE webhook_deliveries SET state = 'undelivered', finished_at = $2, reason = 'the webhook was switched off'
WHERE webhook_id = $1 AND state = 'pending' AND kind <> 'test';
