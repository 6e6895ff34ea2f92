-- $1: instances that are wanted although they may be gone; $2: the statuses of those that are gone.
SELECT snapshot FROM instances WHERE status <> ALL ($2::text[]) OR id = ANY ($1::uuid[])
