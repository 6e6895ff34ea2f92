UPDATE webhooks
SET failures = failures + 1, failing_since = coalesce(failing_since, $2), not_before = $3
WHERE id = $1
RETURNING failing_since;
