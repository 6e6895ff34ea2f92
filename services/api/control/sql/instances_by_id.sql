SELECT snapshot FROM instances WHERE id = ANY ($1::uuid[])
