UPDATE webhooks SET secret_number = secret_number + 1, former_secret_until = $2 WHERE id = $1
