INSERT INTO webhook_replays (id, webhook_id, after_sequence, through_sequence) VALUES ($1, $2, $3, $4)
