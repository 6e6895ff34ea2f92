UPDATE beginnings SET accepted_at = now() WHERE lost_events > 0 AND accepted_at IS NULL RETURNING lost_events
