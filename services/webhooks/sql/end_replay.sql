DELETE FROM webhook_replays WHERE id = $1;
