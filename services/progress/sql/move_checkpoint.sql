-- Moves the checkpoint and its mark forwards only. For another installation it moves nothing and returns no row.
INSERT INTO checkpoints AS held (projection, installation, sequence, mark_sequence, mark_stored_ns)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (projection) DO UPDATE
SET sequence = greatest(held.sequence, excluded.sequence),
    mark_sequence = greatest(held.mark_sequence, excluded.mark_sequence),
    mark_stored_ns = CASE
        WHEN excluded.mark_sequence >= coalesce(held.mark_sequence, 0) THEN excluded.mark_stored_ns
        ELSE held.mark_stored_ns
    END,
    updated_at = now()
WHERE held.installation = excluded.installation
RETURNING sequence;
