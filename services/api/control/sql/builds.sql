-- $1: the statuses of an instance that is gone.
SELECT snapshot
FROM instances
WHERE snapshot #>> '{specification,purpose}' = 'machine_image'
  AND snapshot #>> '{stored_image,deleted_at}' IS NULL
  AND (status <> ALL ($1::text[]) OR snapshot #>> '{stored_image,id}' IS NOT NULL)
ORDER BY created_at DESC, id DESC
LIMIT 1000
