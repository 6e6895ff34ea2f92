-- $1: instances to return even if they are gone. $2: the statuses of instances that are gone.
SELECT snapshot FROM instances WHERE status <> ALL ($2::text[]) OR id = ANY ($1::uuid[])
