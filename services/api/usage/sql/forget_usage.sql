-- $2: so many at most; those that another api is forgetting are left to it.
DELETE FROM usage
WHERE id IN (SELECT id FROM usage WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
