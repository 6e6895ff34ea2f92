UPDATE webhooks SET enabled = false, switched_off = 'request', switched_off_at = now() WHERE id = $1 AND enabled
