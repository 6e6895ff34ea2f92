-- An attempt's events until it was ready. $3: the status `ready`; $4: types that are left out.
SELECT type, attempt, progress_percent, status, occurred_at, data
FROM timeline
WHERE instance_id = $1
  AND attempt = $2
  AND type <> ALL ($4::text[])
  AND version <= coalesce(
      (SELECT min(version) FROM timeline WHERE instance_id = $1 AND attempt = $2 AND status = $3),
      2147483647
  )
ORDER BY version
