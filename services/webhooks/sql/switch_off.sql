UPDATE webhooks SET enabled = false, switched_off = $2, switched_off_at = $3
WHERE id = $1 AND enabled
RETURNING id, organization_id, url, failing_since;
