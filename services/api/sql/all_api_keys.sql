SELECT id, name, role, prefix, created_at, key_hash FROM api_keys
