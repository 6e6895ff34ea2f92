INSERT INTO audit_log (
    id, type, actor_kind, actor_id, actor_name, organization_id, subject_kind, subject_id, subject_name, details
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
