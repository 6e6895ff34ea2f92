-- $1: instances that are wanted although they may be gone.
SELECT snapshot FROM instances WHERE status NOT IN ('terminated', 'archived') OR id = ANY ($1::uuid[])
