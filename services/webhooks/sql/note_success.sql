UPDATE webhooks SET failures = 0, failing_since = NULL, not_before = NULL WHERE id = $1 AND failures > 0;
