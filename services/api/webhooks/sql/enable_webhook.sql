UPDATE webhooks
SET enabled = true,
    switched_off = NULL,
    switched_off_at = NULL,
    failing_since = NULL,
    failures = 0,
    not_before = NULL
WHERE id = $1 AND NOT enabled
