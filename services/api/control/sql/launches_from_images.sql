-- Those that have chosen a machine image to boot from, and whose machine does not answer yet.
-- $1: the statuses of an instance that is live.
SELECT snapshot
FROM instances
WHERE status = ANY ($1::text[])
  AND snapshot ? 'chosen_images'
  AND NOT snapshot -> 'milestones' ? 'SshReachable'
ORDER BY created_at DESC, id DESC
LIMIT 1000
