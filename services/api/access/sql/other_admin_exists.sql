SELECT EXISTS (SELECT FROM api_keys WHERE role = 'admin' AND id IS DISTINCT FROM $1::uuid)
