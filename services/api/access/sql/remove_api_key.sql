DELETE FROM api_keys WHERE id = $1 RETURNING role
