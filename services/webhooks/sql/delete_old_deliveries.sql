DELETE FROM webhook_deliveries WHERE state <> 'pending' AND finished_at < $1;
