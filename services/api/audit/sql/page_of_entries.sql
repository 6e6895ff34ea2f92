-- $4: these types only. $5: this actor, by name, or $6: by id. $7: this subject, by id or name. Null: any.
SELECT
    id, at, type, actor_kind, actor_id, actor_name, organization_id, subject_kind, subject_id, subject_name, details
FROM audit_log
WHERE ($1::timestamptz IS NULL OR (at, id) < ($1, $2::uuid))
    AND ($4::text[] IS NULL OR type = ANY ($4))
    AND ($5::text IS NULL OR actor_name = $5 OR actor_id = $6::uuid)
    AND ($7::text IS NULL OR subject_id = $7 OR subject_name = $7)
    AND ($8::uuid IS NULL OR organization_id = $8)
    AND ($9::timestamptz IS NULL OR at >= $9)
    AND ($10::timestamptz IS NULL OR at < $10)
ORDER BY at DESC, id DESC
LIMIT $3
