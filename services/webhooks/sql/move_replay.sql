UPDATE webhook_replays SET after_sequence = $2 WHERE id = $1 RETURNING id;
